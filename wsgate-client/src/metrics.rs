//! What is counted, each once: name, kind, unit, help, and the graphs it is shown in.
//!
//! `up` is from applications to gateways, `down` the other way. A tunnel on stdin and stdout is not counted: it
//! is a process of its own.

use std::sync::Arc;

use monitor::{
    Counter, Declare, Family, Gauge, Histogram, Line, Program, Reading, Registry, Unit, histogram,
};
use relay::{Ended, Why};
use tunnel::RoundTrip;

use crate::attempt::AttemptError;
use crate::resume::Lives;
use crate::session::{Opened, Unopened};

/// Who is monitored.
pub const PROGRAM: Program = Program { name: "wsgate-client", version: env!("CARGO_PKG_VERSION") };

/// The handles.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) listening: Gauge,
    pub(crate) unbound: Gauge,
    opened: Counter,
    refused: Family<Counter>,
    left: Counter,
    attempts: Counter,
    closed: Family<Counter>,
    pub(crate) lives: Lives,
    pub(crate) up: Counter,
    pub(crate) down: Counter,
    setup: Histogram,
    round_trip: Histogram,
    /// Takes the round trips of all tunnels.
    pub(crate) round_trips: RoundTrip,
    pub(crate) certificate_left: Reading,
    pub(crate) reloads: Family<Counter>,
    pub(crate) reload_ok: Reading,
}

impl Metrics {
    /// The handles, and the registry that they are in.
    pub fn declare() -> (Self, Registry) {
        let mut declare = Declare::new(PROGRAM);
        let metrics = Self::of_forwards(&mut declare);
        metrics.draw(&mut declare);
        metrics.draw_closely(&mut declare);
        (metrics, declare.done())
    }

    fn of_forwards(to: &mut Declare) -> Self {
        let bounds = histogram::SECONDS;
        let round_trip =
            to.histogram("round_trip_seconds", "From a ping to its pong in idle tunnels", bounds);
        Self {
            sessions: to.gauge("sessions", "Local connections that are carried"),
            waiting: to.gauge("waiting", "Local connections whose tunnel is being opened"),
            listening: to.gauge("listeners", "Sockets that are listened on"),
            unbound: to.gauge("unbound", "Lines of the map that cannot be listened on"),
            opened: to.counter("sessions_opened", "Tunnels that were opened"),
            refused: to.counters(
                "sessions_refused",
                "Local connections that got no tunnel",
                "reason",
                &AttemptError::WORDS,
            ),
            left: to
                .counter("sessions_left", "Local connections that were gone before their tunnel was open"),
            attempts: to
                .counter("attempts", "Attempts to open a tunnel, of connections that got one or none"),
            closed: to.counters("sessions_closed", "Tunnels that ended", "why", &Why::WORDS),
            lives: Lives {
                detached: to.gauge("detached", "Tunnels that were cut and are being resumed"),
                resumed: to.counter("resumed", "WebSockets that took the place of another of their tunnel"),
                handed_over: to
                    .counter("handed_over", "Of those, the ones that were there before it was gone"),
            },
            up: to.counter("up_bytes", "Payload carried from applications to gateways"),
            down: to.counter("down_bytes", "Payload carried from gateways to applications"),
            setup: to.histogram("setup_seconds", "From accept to the open tunnel, all attempts", bounds),
            round_trips: taking(&round_trip),
            round_trip,
            certificate_left: to.reading("certificate_left_seconds", "Until our own TLS certificate ends"),
            reloads: to.counters(
                "reloads",
                "Readings of the files again",
                "outcome",
                &["succeeded", "failed"],
            ),
            reload_ok: to.reading("reload_ok", "Whether what is in force is what the files say"),
        }
    }

    fn draw(&self, to: &mut Declare) {
        let now = [
            Line::now("open", "carried now", &self.sessions).by_default(),
            Line::now("waiting", "waiting for a tunnel", &self.waiting),
            Line::now("detached", "cut, being resumed", &self.lives.detached),
        ];
        to.graph("sessions", "Connections", Unit::Integer, now);
        let rates = [
            Line::rate("opened", "tunnels opened", &self.opened).by_default(),
            Line::rate("refused", "no tunnel", &self.refused).by_default(),
            Line::rate("resumed", "tunnels resumed", &self.lives.resumed).by_default(),
            Line::rate("left", "gone before", &self.left),
            Line::rate("attempts", "attempts", &self.attempts),
            Line::rate("handed_over", "resumed ahead of a cut", &self.lives.handed_over),
        ];
        to.graph("rate", "Connections a second", Unit::Float, rates);
        let bytes = [
            Line::rate("up", "to gateways", &self.up).by_default(),
            Line::rate("down", "to applications", &self.down).by_default(),
        ];
        to.graph("bytes", "Throughput", Unit::BytesPerSecond, bytes);
        for (name, label, of) in
            [("setup", "Set-up", &self.setup), ("round_trip", "Tunnel round trip", &self.round_trip)]
        {
            let at = |name, label, quantile| Line::percentile(name, label, of, quantile).times(1000.0);
            let lines = [at("p99", "99 %", 0.99).by_default(), at("p50", "50 %", 0.5)];
            to.graph(name, label, Unit::Milliseconds, lines);
        }
    }

    fn draw_closely(&self, to: &mut Declare) {
        for (name, label, of) in [
            ("refused", "No tunnel a second, by reason", &self.refused),
            ("closed", "Ended a second, by why", &self.closed),
        ] {
            to.graph(name, label, Unit::Float, [Line::each(of).stacked()]);
        }
        let bound = Line::now("bound", "listened on", &self.listening);
        let unbound = Line::now("unbound", "not to be had", &self.unbound);
        to.graph("listeners", "Local addresses", Unit::Integer, [bound, unbound]);
        let left = Line::now("days", "days left", &self.certificate_left).times(1.0 / 86_400.0);
        to.graph("certificate", "Our TLS certificate", Unit::Float, [left]);
        let reloads = [
            Line::last_hour("succeeded", "succeeded", &self.reloads.with("succeeded")),
            Line::last_hour("failed", "failed", &self.reloads.with("failed")),
        ];
        to.graph("reloads", "Reloads in the last hour", Unit::Integer, reloads);
    }

    /// A local connection has its tunnel, or will have none.
    pub(crate) fn count_opening(&self, result: &Result<Opened, Unopened>) {
        match result {
            Ok(opened) => {
                self.opened.inc();
                self.attempts.add(opened.attempts.into());
                self.setup.observe(opened.took);
            }
            Err(Unopened::GivenUp(given_up)) => {
                self.refused.with(given_up.error.word()).inc();
                self.attempts.add(given_up.attempts.into());
            }
            Err(Unopened::Gone | Unopened::Stopped) => self.left.inc(),
        }
    }

    pub(crate) fn count_end(&self, ended: &Ended) {
        self.closed.with(ended.why.word()).inc();
    }
}

fn taking(histogram: &Histogram) -> RoundTrip {
    let histogram = histogram.clone();
    RoundTrip(Arc::new(move |took| histogram.observe(took)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::GivenUp;
    use monitor::{Exposition, Set};
    use std::time::Duration;

    #[test]
    fn each_connection_is_counted_once() {
        let (metrics, registry) = Metrics::declare();
        let given_up = |error| Err(Unopened::GivenUp(GivenUp { error, attempts: 3 }));
        for result in [
            given_up(AttemptError::Silent(Duration::ZERO)),
            given_up(AttemptError::NotWebSocket("test")),
            Err(Unopened::Gone),
            Err(Unopened::Stopped),
        ] {
            metrics.count_opening(&result);
        }
        let text = registry.expose(Exposition::Prometheus);
        for line in [
            "wsgate_client_sessions_refused_total{reason=\"silent\"} 1",
            "wsgate_client_sessions_refused_total{reason=\"no-websocket\"} 1",
            "wsgate_client_sessions_refused_total{reason=\"destination-timeout\"} 0",
            "wsgate_client_sessions_left_total 2",
            "wsgate_client_sessions_opened_total 0",
            "wsgate_client_attempts_total 6",
            "wsgate_client_sessions_closed_total{why=\"eof\"} 0",
            "wsgate_client_resumed_total 0",
            "wsgate_client_detached 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn graphs_are_there_without_a_daemon() {
        let graphs = Metrics::declare().1.graphs(None, Set::Default).to_string();
        for name in ["sessions", "rate", "bytes", "setup", "round_trip"] {
            assert!(graphs.contains(&format!("\"wsgate-client.{name}\"")), "{name} in {graphs}");
        }
        assert!(!graphs.contains("wsgate-client.closed"));
    }
}
