//! A program that tests declare.

use std::time::{Duration, Instant};

use crate::{Counter, Declare, Family, Gauge, Histogram, Line, Program, Reading, Registry, Unit, histogram};

pub(crate) const PROGRAM: Program = Program { name: "sample-gate", version: "1.2.3" };

pub(crate) struct Sample {
    pub(crate) sessions: Gauge,
    pub(crate) opened: Counter,
    pub(crate) deploys: Counter,
    pub(crate) refused: Family<Counter>,
    pub(crate) users: Family<Counter>,
    pub(crate) setup: Histogram,
    pub(crate) keys: Reading,
    pub(crate) registry: Registry,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let mut declare = Declare::new(PROGRAM);
        let sessions = declare.gauge("sessions", "Open now");
        let opened = declare.counter("sessions_opened", "Opened");
        let deploys = declare.counter("deploys", "Deploys");
        let refused = declare.counters("refused", "Refused", "reason", &["token", "no/rule", "no rule"]);
        let users = declare.counters("users_bytes", "By user", "user", &[]);
        let setup = declare.histogram("setup_seconds", "Set-up", histogram::SECONDS);
        let paths = declare.histograms("path_seconds", "By \"path\" and \\", &[0.5, 1.0], "path", &["a"]);
        let keys = declare.reading("keys", "Keys");
        let unset = declare.reading("unset", "Never has a value");
        let backends = declare.gauges("backends", "By state", "state", &["ready", "seen"]);
        backends.with("ready").set(2);
        paths.with("a").observe_value(0.7);
        declare.info("engine", "The engine", &[("address", "a \"quoted\\path\"\nand a line")]);
        declare.graph(
            "sessions",
            "Sessions",
            Unit::Integer,
            [
                Line::now("open", "open now", &sessions).by_default(),
                Line::now("keys", "keys", &keys).by_default(),
                Line::now("unset", "never", &unset).by_default(),
                Line::last_hour("deploys", "deploys in the last hour", &deploys).by_default(),
            ],
        );
        declare.graph(
            "rate",
            "A second",
            Unit::Float,
            [
                Line::rate("opened", "opened", &opened).by_default(),
                Line::rate("refused", "refused", &refused).by_default(),
                Line::share("share", "opened of all", &opened, &refused).by_default(),
            ],
        );
        declare.graph("refused", "By reason", Unit::Float, [Line::each(&refused).stacked()]);
        declare.graph("users", "By user", Unit::BytesPerSecond, [Line::each(&users)]);
        declare.graph(
            "setup",
            "Set-up",
            Unit::Milliseconds,
            [
                Line::percentile("p50", "50 %", &setup, 0.5).times(1000.0).by_default(),
                Line::percentile("all", "50 % of all paths", &paths, 0.5),
            ],
        );
        let registry = declare.done();
        Self { sessions, opened, deploys, refused, users, setup, keys, registry }
    }

    /// Ticks once a second for `seconds` from `start` on; the end.
    pub(crate) fn tick(&self, start: Instant, seconds: u32, mut before: impl FnMut(&Self)) -> Instant {
        for second in 0..seconds {
            before(self);
            self.registry.tick(start + Duration::from_secs(second.into()));
        }
        start + Duration::from_secs(seconds.into())
    }
}
