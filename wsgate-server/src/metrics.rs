//! What is counted, each once: name, kind, unit, help, and the graphs it is shown in.
//!
//! `up` is from callers to destinations, `down` the other way.

use std::sync::Arc;

use monitor::{
    Counter, Declare, Family, Gauge, Histogram, Line, Program, Reading, Registry, Unit, histogram,
};
use relay::Why;
use tunnel::RoundTrip;

use crate::refusal::Refusal;

/// Who is monitored.
pub const PROGRAM: Program = Program { name: "wsgate-server", version: env!("CARGO_PKG_VERSION") };

/// The handles.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: Gauge,
    pub(crate) sessions_max: Reading,
    pub(crate) detached: Gauge,
    pub(crate) buffered: Reading,
    pub(crate) dialling: Gauge,
    pub(crate) http: Gauge,
    pub(crate) opened: Counter,
    pub(crate) refused: Family<Counter>,
    pub(crate) resumed: Counter,
    pub(crate) expired: Counter,
    pub(crate) handed_over: Counter,
    pub(crate) misrouted: Counter,
    pub(crate) left: Counter,
    pub(crate) closed: Family<Counter>,
    pub(crate) up: Counter,
    pub(crate) down: Counter,
    pub(crate) setup: Histogram,
    round_trip: Histogram,
    /// Takes the round trips of all tunnels.
    pub(crate) round_trips: RoundTrip,
    pub(crate) destinations: Reading,
    pub(crate) certificate_left: Reading,
    pub(crate) reloads: Family<Counter>,
    pub(crate) reload_ok: Reading,
}

impl Metrics {
    /// The handles, and the registry that they are in.
    pub fn declare() -> (Self, Registry) {
        let mut declare = Declare::new(PROGRAM);
        let metrics = Self::of_tunnels(&mut declare);
        metrics.draw_default(&mut declare);
        metrics.draw_rest(&mut declare);
        (metrics, declare.done())
    }

    fn of_tunnels(to: &mut Declare) -> Self {
        let seconds = histogram::SECONDS;
        let round_trip =
            to.histogram("round_trip_seconds", "From a ping to its pong in idle tunnels", seconds);
        Self {
            sessions: to.gauge("sessions", "Tunnels that are open"),
            sessions_max: to.reading("sessions_max", "Tunnels that may be open at once"),
            detached: to.gauge("sessions_detached", "Open tunnels whose client is to come back"),
            buffered: to.reading("buffered_bytes", "Memory that tunnels hold, or were promised"),
            dialling: to.gauge("dialling", "Callers whose destination is being reached"),
            http: to.gauge("http_connections", "Connections that are not, or not yet, tunnels"),
            opened: to.counter("sessions_opened", "Tunnels that were opened"),
            refused: to.counters("sessions_refused", "Requests refused", "reason", &Refusal::WORDS),
            resumed: to.counter("sessions_resumed", "Clients that came back to their tunnel"),
            expired: to.counter("sessions_expired", "Tunnels that ended since nobody came back in time"),
            handed_over: to.counter("resumes_handed_over", "Resumes led to the process that has the tunnel"),
            misrouted: to.counter("resumes_misrouted", "Resumes of tunnels that are not known here"),
            left: to.counter("sessions_left", "Callers that left before their tunnel was open"),
            closed: to.counters("sessions_closed", "Tunnels that ended", "why", &Why::WORDS),
            up: to.counter("up_bytes", "Payload carried from callers to destinations"),
            down: to.counter("down_bytes", "Payload carried from destinations to callers"),
            setup: to.histogram("setup_seconds", "From a request's head to its open tunnel", seconds),
            round_trips: taking(&round_trip),
            round_trip,
            destinations: to.reading("destinations", "Destinations that callers may ask for"),
            certificate_left: to.reading("certificate_left_seconds", "Until the TLS certificate ends"),
            reloads: to.counters(
                "reloads",
                "Readings of the files again",
                "outcome",
                &["succeeded", "failed"],
            ),
            reload_ok: to.reading("reload_ok", "Whether what is in force is what the files say"),
        }
    }

    fn draw_default(&self, to: &mut Declare) {
        let open = Line::now("open", "open now", &self.sessions).by_default();
        let most = Line::now("max", "may be open", &self.sessions_max);
        let detached = Line::now("detached", "without a WebSocket", &self.detached);
        to.graph("sessions", "Tunnels", Unit::Integer, [open, most, detached]);
        let opened = Line::rate("opened", "opened", &self.opened).by_default();
        let refused = Line::rate("refused", "refused", &self.refused).by_default();
        let resumed = Line::rate("resumed", "resumed", &self.resumed).by_default();
        let handed_over = Line::rate("handed_over", "led to another process", &self.handed_over);
        let left = Line::rate("left", "callers that left", &self.left);
        to.graph("rate", "Tunnels a second", Unit::Float, [opened, refused, resumed, handed_over, left]);
        let up = Line::rate("up", "to destinations", &self.up).by_default();
        let down = Line::rate("down", "to callers", &self.down).by_default();
        to.graph("bytes", "Throughput", Unit::BytesPerSecond, [up, down]);
        to.graph("setup", "Set-up", Unit::Milliseconds, percentiles(&self.setup));
        to.graph("round_trip", "Tunnel round trip", Unit::Milliseconds, percentiles(&self.round_trip));
    }

    fn draw_rest(&self, to: &mut Declare) {
        let refused = Line::each(&self.refused).stacked();
        to.graph("refused", "Refused a second, by reason", Unit::Float, [refused]);
        let closed = Line::each(&self.closed).stacked();
        to.graph("closed", "Ended a second, by why", Unit::Float, [closed]);
        let expired = Line::last_hour("expired", "nobody came back", &self.expired);
        let misrouted = Line::last_hour("misrouted", "not known here", &self.misrouted);
        to.graph("resumes", "Resumes that failed in the last hour", Unit::Integer, [expired, misrouted]);
        let buffered = Line::now("buffered", "held by tunnels", &self.buffered);
        to.graph("buffers", "Memory of tunnels", Unit::Bytes, [buffered]);
        let dialling = Line::now("dialling", "reaching destinations", &self.dialling);
        let http = Line::now("http", "speaking HTTP", &self.http);
        to.graph("connections", "Connections before a tunnel", Unit::Integer, [dialling, http]);
        let destinations = Line::now("loaded", "in force", &self.destinations);
        to.graph("destinations", "Destinations", Unit::Integer, [destinations]);
        let left = Line::now("days", "days left", &self.certificate_left).times(1.0 / 86_400.0);
        to.graph("certificate", "TLS certificate", Unit::Float, [left]);
        let done = Line::last_hour("succeeded", "succeeded", &self.reloads.with("succeeded"));
        let failed = Line::last_hour("failed", "failed", &self.reloads.with("failed"));
        to.graph("reloads", "Reloads in the last hour", Unit::Integer, [done, failed]);
    }
}

/// Of seconds; only the 99 % are in the default set.
fn percentiles(of: &Histogram) -> [Line; 2] {
    [
        Line::percentile("p99", "99 %", of, 0.99).times(1000.0).by_default(),
        Line::percentile("p50", "50 %", of, 0.5).times(1000.0),
    ]
}

fn taking(histogram: &Histogram) -> RoundTrip {
    let histogram = histogram.clone();
    RoundTrip(Arc::new(move |took| histogram.observe(took)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use monitor::{Exposition, Set};

    #[test]
    fn names_are_good_and_refusals_are_there_before_they_happen() {
        let (metrics, registry) = Metrics::declare();
        metrics.refused.with("credential").inc();
        metrics.refused.with("no such word").inc();
        metrics.setup.observe(std::time::Duration::from_millis(3));
        let text = registry.expose(Exposition::Prometheus);
        for line in [
            "wsgate_server_sessions_refused_total{reason=\"credential\"} 1",
            "wsgate_server_sessions_refused_total{reason=\"destination-timeout\"} 0",
            "wsgate_server_sessions_refused_total{reason=\"other\"} 1",
            "wsgate_server_sessions_closed_total{why=\"lifetime\"} 0",
            "wsgate_server_sessions_refused_total{reason=\"stale\"} 0",
            "wsgate_server_sessions_resumed_total 0",
            "wsgate_server_resumes_handed_over_total 0",
            "wsgate_server_sessions_detached 0",
            "wsgate_server_up_bytes_total 0",
            "wsgate_server_setup_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn graphs_are_there_without_a_daemon() {
        let graphs = Metrics::declare().1.graphs(None, Set::Default).to_string();
        for name in ["sessions", "rate", "bytes", "setup", "round_trip"] {
            assert!(graphs.contains(&format!("\"wsgate-server.{name}\"")), "{name} in {graphs}");
        }
        assert!(!graphs.contains("wsgate-server.closed"));
    }
}
