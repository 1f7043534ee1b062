//! What one app's connections count: the handles, looked up once.

use std::time::Duration;

use monitor::{Counter, Family, Gauge, Held, Histogram};
use relay::{Ended, Meter};

use crate::ending::{self, Cut};
use crate::fleet::Undialled;
use crate::hold::Lost;
use crate::metrics::Metrics;

/// An app's handles. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    connections: Gauge,
    held: Gauge,
    opened: Counter,
    failed: Family<Counter>,
    failed_here: Counter,
    gone: Counter,
    closed: Family<Counter>,
    undialled: Family<Counter>,
    setup: Histogram,
    /// One more for each that is.
    pub(crate) ready: Gauge,
    /// New connections go to a newer container than any before.
    pub(crate) deploys: Counter,
    /// Of all carried bytes, while they are carried.
    pub(crate) meter: Meter,
}

impl Tally {
    /// Of the app of that name; to be made once for each.
    pub(crate) fn of(app: &str, metrics: &Metrics) -> Self {
        let meter = Meter::default();
        let (up, down) = (meter.clone(), meter.clone());
        metrics.received.with(app).read_from(move || up.up());
        metrics.sent.with(app).read_from(move || down.down());
        Self {
            connections: metrics.connections.with(app),
            held: metrics.held.with(app),
            opened: metrics.opened.with(app),
            failed: metrics.failed.clone(),
            failed_here: metrics.failed_of_app.with(app),
            gone: metrics.gone.clone(),
            closed: metrics.closed.clone(),
            undialled: metrics.undialled.clone(),
            setup: metrics.setup.clone(),
            ready: metrics.ready.with(app),
            deploys: metrics.deploys.with(app),
            meter,
        }
    }

    /// A client that waits, as long as the value lives.
    pub(crate) fn held(&self) -> Held {
        self.held.hold()
    }

    /// A client that has got its container, so long after it came; it is carried as long as the value lives.
    pub(crate) fn opened(&self, after: Duration) -> Held {
        self.opened.inc();
        self.setup.observe(after);
        self.connections.hold()
    }

    /// A client that got none.
    pub(crate) fn lost(&self, why: Lost) {
        match why {
            Lost::ClientGone => self.gone.inc(),
            why => {
                self.failed.with(why.word()).inc();
                self.failed_here.inc();
            }
        }
    }

    pub(crate) fn undialled(&self, why: &Undialled) {
        let word = match why {
            Undialled::Refused(_) => "refused",
            Undialled::TimedOut => "silent",
        };
        self.undialled.with(word).inc();
    }

    pub(crate) fn closed(&self, ended: &Ended, cut: Option<Cut>) {
        self.closed.with(ending::word(ended, cut)).inc();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use monitor::Exposition;

    /// For those who do not look at it.
    pub(crate) fn tally() -> Tally {
        Tally::of("web", &Metrics::declare().0)
    }

    #[test]
    fn what_is_counted_is_told_by_app_and_by_reason() {
        let (metrics, registry) = Metrics::declare();
        let names: Vec<_> = (0..20).map(|n| format!("app-{n}")).collect();
        let tallies: Vec<_> = names.iter().map(|name| Tally::of(name, &metrics)).collect();
        for tally in &tallies {
            drop(tally.opened(Duration::from_millis(3)));
            tally.meter.count_up().add(10);
            tally.lost(Lost::NotReady);
            tally.lost(Lost::ClientGone);
        }
        let _open = (tallies[0].opened(Duration::ZERO), tallies[17].held(), tallies[18].held());
        tallies[3].undialled(&Undialled::TimedOut);
        let text = registry.expose(Exposition::Prometheus);
        for line in [
            "motarei_connections_opened_total{app=\"app-0\"} 2",
            "motarei_connections_opened_total{app=\"other\"} 4",
            "motarei_connections{app=\"app-0\"} 1",
            "motarei_clients_held{app=\"other\"} 2",
            "motarei_received_bytes_total{app=\"app-15\"} 10",
            "motarei_received_bytes_total{app=\"other\"} 40",
            "motarei_connections_failed_total{reason=\"not-ready\"} 20",
            "motarei_connections_failed_total{reason=\"gave-up\"} 0",
            "motarei_app_connections_failed_total{app=\"app-1\"} 1",
            "motarei_clients_gone_total 20",
            "motarei_dials_failed_total{reason=\"silent\"} 1",
            "motarei_setup_seconds_count 21",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in:\n{text}");
        }
    }
}
