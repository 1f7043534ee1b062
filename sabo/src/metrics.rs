//! What is told of a work directory, each metric once: name, help, graph.
//!
//! Nothing is counted here. The numbers are those of the group files, and a process that prints them ends.

use monitor::{Declare, Line, Program, Reading, Registry, Total, Unit};

use crate::summary::Summary;

/// Who tells.
pub const PROGRAM: Program = Program { name: "sabo", version: env!("CARGO_PKG_VERSION") };

/// The metrics of a directory that is called `name`; without a summary they have no values, and graphs still.
#[must_use]
pub(crate) fn registry(name: &str, summary: Option<Summary>) -> Registry {
    let mut metrics = Metrics { declare: Declare::about_others(PROGRAM, &[("name", name)]), summary };
    metrics.throughput();
    metrics.waiting();
    metrics.peers();
    metrics.runs();
    metrics.clock();
    metrics.declare.done()
}

struct Metrics {
    declare: Declare,
    summary: Option<Summary>,
}

impl Metrics {
    fn throughput(&mut self) {
        let rate =
            self.gauge("bytes_per_second", "What passed a second, in the last minute", |s| Some(s.rate));
        let limit = self.gauge("limit_bytes_per_second", "What may pass a second", |s| s.limit.map(number));
        let used = self.gauge("utilisation_ratio", "What passed in the last minute, of what may pass", |s| {
            s.utilisation
        });
        self.total("bytes", "What passed", |s| Some(number(s.bytes)));
        self.declare.graph(
            "throughput",
            "Throughput",
            Unit::BytesPerSecond,
            [
                Line::now("rate", "passed", &rate).by_default(),
                Line::now("limit", "limit", &limit).by_default(),
            ],
        );
        self.declare.graph(
            "utilisation",
            "Utilisation",
            Unit::Percentage,
            [Line::now("used", "of the limit", &used).times(100.0).by_default()],
        );
    }

    fn waiting(&mut self) {
        self.total("waited_source_seconds", "Time waited for stdin", |s| Some(s.waited[0]));
        self.total("waited_sink_seconds", "Time waited for stdout", |s| Some(s.waited[1]));
        self.total("waited_limit_seconds", "Time waited because of the limit", |s| Some(s.waited[2]));
        let of = |of: usize| move |s: &Summary| s.waiting.map(|shares| shares[of]);
        let source = self.gauge(
            "waiting_source_ratio",
            "Share of the processes' last minute that went to waiting for stdin",
            of(0),
        );
        let sink = self.gauge(
            "waiting_sink_ratio",
            "Share of the processes' last minute that went to waiting for stdout",
            of(1),
        );
        let limit = self.gauge(
            "waiting_limit_ratio",
            "Share of the processes' last minute that went to waiting for the limit",
            of(2),
        );
        let line = |name, label, of: &Reading| Line::now(name, label, of).times(100.0).stacked().by_default();
        self.declare.graph(
            "waiting",
            "Waiting",
            Unit::Percentage,
            [
                line("limit", "for the limit", &limit),
                line("source", "for stdin", &source),
                line("sink", "for stdout", &sink),
            ],
        );
    }

    fn peers(&mut self) {
        let members = self.gauge("members", "Processes that share a limit", |s| Some(number(s.members)));
        let originals = self
            .gauge("originals", "Processes of the original sabo beside them", |s| Some(number(s.originals)));
        self.declare.graph(
            "peers",
            "Processes",
            Unit::Integer,
            [
                Line::now("members", "processes", &members).by_default(),
                Line::now("originals", "of the original", &originals),
            ],
        );
    }

    fn runs(&mut self) {
        let finished = self.total("runs_finished", "Runs that ended well", |s| Some(number(s.finished)));
        let failed = self.total("runs_failed", "Runs that did not end well", |s| Some(number(s.failed)));
        self.declare.graph(
            "runs",
            "Runs so far",
            Unit::Integer,
            [
                Line::now("finished", "ended well", &finished).by_default(),
                Line::now("failed", "failed", &failed).by_default(),
            ],
        );
        let success =
            self.gauge("last_success_timestamp_seconds", "When the last run ended well, since 1970", |s| {
                s.last_success.map(number)
            });
        let failure =
            self.gauge("last_failure_timestamp_seconds", "When the last run failed, since 1970", |s| {
                s.last_failure.map(number)
            });
        self.declare.graph(
            "last",
            "Last runs, seconds since 1970",
            Unit::Integer,
            [
                Line::now("success", "ended well", &success).by_default(),
                Line::now("failure", "failed", &failure),
            ],
        );
    }

    fn clock(&mut self) {
        let resets =
            self.total("clock_resets", "Times in a group that could not be right and were set anew", |s| {
                Some(number(s.resets))
            });
        self.declare.graph("clock", "Clock", Unit::Integer, [Line::now("resets", "set anew", &resets)]);
    }

    fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn(&Summary) -> Option<f64>,
    ) -> Reading {
        let reading = self.declare.reading(name, help);
        let value = self.summary.as_ref().and_then(value);
        reading.read_from(move || value);
        reading
    }

    fn total(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn(&Summary) -> Option<f64>,
    ) -> Total {
        let total = self.declare.total(name, help);
        let value = self.summary.as_ref().and_then(value);
        total.read_from(move || value);
        total
    }
}

#[allow(clippy::cast_precision_loss)] // 2^53 of anything is not reached
fn number(count: u64) -> f64 {
    count as f64
}
