//! What is measured, each thing once: name, kind, unit, label, help; and the graphs of it.
//!
//! What has the label `app` is told apart for sixteen apps; the rest share `other`.

use monitor::{
    Counter, Declare, Family, Gauge, Histogram, Line, Program, Reading, Registry, Unit, histogram,
};

use crate::ending;
use crate::hold::Lost;

/// Whose metrics they are.
pub const PROGRAM: Program = Program { name: "motarei", version: env!("CARGO_PKG_VERSION") };

const APP: &str = "app";

/// From seconds.
const HOURS: f64 = 1.0 / 3600.0;

/// The handles. Clones are the same metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) connections: Family<Gauge>,
    pub(crate) held: Family<Gauge>,
    pub(crate) opened: Family<Counter>,
    pub(crate) failed: Family<Counter>,
    pub(crate) failed_of_app: Family<Counter>,
    pub(crate) gone: Counter,
    pub(crate) closed: Family<Counter>,
    pub(crate) undialled: Family<Counter>,
    pub(crate) setup: Histogram,
    pub(crate) received: Family<Counter>,
    pub(crate) sent: Family<Counter>,
    pub(crate) ready: Family<Gauge>,
    pub(crate) newest_age: Reading,
    pub(crate) deploys: Family<Counter>,
    pub(crate) not_listening: Reading,
    pub(crate) following: Reading,
}

/// The registry of a process that is no proxy: the graphs are in it, and no values.
pub fn registry() -> Registry {
    Metrics::declare().1
}

impl Metrics {
    /// The handles, and the registry that they are in.
    pub(crate) fn declare() -> (Self, Registry) {
        let mut declare = Declare::new(PROGRAM);
        let metrics = Self::new(&mut declare);
        metrics.draw(&mut declare);
        metrics.draw_more(&mut declare);
        (metrics, declare.done())
    }

    fn new(declare: &mut Declare) -> Self {
        let lost = Lost::COUNTED.map(Lost::word);
        Self {
            connections: declare.gauges("connections", "Connections that are carried", APP, &[]),
            held: declare.gauges("clients_held", "Clients that wait for a container", APP, &[]),
            opened: declare.counters("connections_opened", "Clients that got a container", APP, &[]),
            failed: declare.counters("connections_failed", "Clients that were not served", "reason", &lost),
            failed_of_app: declare.counters(
                "app_connections_failed",
                "Clients that were not served, by app",
                APP,
                &[],
            ),
            gone: declare.counter(
                "clients_gone",
                "Clients that reset at once, as those do that only look whether somebody listens",
            ),
            closed: declare.counters(
                "connections_closed",
                "Connections that have ended, and how",
                "why",
                &ending::WORDS,
            ),
            undialled: declare.counters(
                "dials_failed",
                "Dials of a container that failed, whether another one served the client or not",
                "reason",
                &["refused", "silent"],
            ),
            setup: declare.histogram(
                "setup_seconds",
                "From accept until a container is reached, the time held included",
                histogram::SECONDS,
            ),
            received: declare.counters("received_bytes", "Payload from clients", APP, &[]),
            sent: declare.counters("sent_bytes", "Payload to clients", APP, &[]),
            ready: declare.gauges("containers_ready", "Containers that are ready", APP, &[]),
            newest_age: declare
                .reading("newest_container_age_seconds", "Since the newest ready container was created"),
            deploys: declare.counters(
                "deploys",
                "How often new connections began to go to a newer container than any before",
                APP,
                &[],
            ),
            not_listening: declare.reading("listeners_failed", "Listeners that cannot be bound"),
            following: declare.reading("engine_followed", "1 while the container engine answers, else 0"),
        }
    }

    /// The default set.
    fn draw(&self, declare: &mut Declare) {
        declare.graph(
            "connections",
            "Connections",
            Unit::Integer,
            [
                Line::now("open", "open now", &self.connections).by_default(),
                Line::now("held", "held now", &self.held).by_default(),
            ],
        );
        declare.graph(
            "rate",
            "Connections a second",
            Unit::Float,
            [
                Line::rate("opened", "opened", &self.opened).by_default(),
                Line::rate("failed", "failed", &self.failed).by_default(),
            ],
        );
        declare.graph(
            "bytes",
            "Throughput",
            Unit::BytesPerSecond,
            [
                Line::rate("up", "from clients", &self.received).by_default(),
                Line::rate("down", "to clients", &self.sent).by_default(),
            ],
        );
        declare.graph(
            "containers",
            "Containers",
            Unit::Integer,
            [Line::now("ready", "ready", &self.ready).by_default()],
        );
        declare.graph(
            "age",
            "Age of the newest container, hours",
            Unit::Float,
            [Line::now("newest", "newest", &self.newest_age).times(HOURS).by_default()],
        );
        declare.graph(
            "deploys",
            "Deploys",
            Unit::Integer,
            [Line::last_hour("hour", "in the last hour", &self.deploys).by_default()],
        );
    }

    /// What `--all` adds.
    fn draw_more(&self, declare: &mut Declare) {
        let percentile =
            |name, label, quantile| Line::percentile(name, label, &self.setup, quantile).times(1000.0);
        declare.graph(
            "setup",
            "Set-up",
            Unit::Milliseconds,
            [percentile("p50", "50 %", 0.5), percentile("p99", "99 %", 0.99)],
        );
        for (name, label, unit, family) in [
            ("failed", "Not served a second, by reason", Unit::Float, &self.failed),
            ("closed", "Connections that ended, a second", Unit::Float, &self.closed),
            ("dials", "Dials that failed, a second", Unit::Float, &self.undialled),
            ("opened_by_app", "Connections opened a second, by app", Unit::Float, &self.opened),
            ("failed_by_app", "Not served a second, by app", Unit::Float, &self.failed_of_app),
            ("up_by_app", "From clients, by app", Unit::BytesPerSecond, &self.received),
            ("down_by_app", "To clients, by app", Unit::BytesPerSecond, &self.sent),
        ] {
            declare.graph(name, label, unit, [Line::each(family).stacked()]);
        }
        declare.graph(
            "gone",
            "Clients that reset at once, a second",
            Unit::Float,
            [Line::rate("gone", "gone", &self.gone)],
        );
        declare.graph(
            "trouble",
            "Trouble",
            Unit::Integer,
            [
                Line::now("not_listening", "listeners that cannot be bound", &self.not_listening),
                Line::now("following", "the engine answers", &self.following),
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monitor::Set;

    #[test]
    fn the_default_set_is_as_documented() {
        let graphs = registry().graphs(None, Set::Default);
        let lines = graphs["graphs"].as_object().unwrap().iter().flat_map(|(graph, definition)| {
            let metrics = definition["metrics"].as_array().unwrap().iter();
            metrics.map(move |metric| format!("{graph}.{}", metric["name"].as_str().unwrap()))
        });
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "motarei.age.newest",
                "motarei.bytes.down",
                "motarei.bytes.up",
                "motarei.connections.held",
                "motarei.connections.open",
                "motarei.containers.ready",
                "motarei.deploys.hour",
                "motarei.memory.rss",
                "motarei.process.cpu",
                "motarei.process.fds",
                "motarei.rate.failed",
                "motarei.rate.opened",
            ]
        );
    }
}
