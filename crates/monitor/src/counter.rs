//! What only ever grows.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::window::Counts;

/// A count. Clones are the same count; adding to it is one relaxed atomic addition.
#[derive(Clone, Default)]
pub struct Counter {
    own: counter::Counter,
    sources: Arc<RwLock<Vec<Source>>>,
}

type Source = Box<dyn Fn() -> u64 + Send + Sync>;

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.own.inc();
    }

    /// `more` more.
    pub fn add(&self, more: u64) {
        self.own.inc_by(more);
    }

    /// Adds what `source` says whenever it is read, every second: for a count that is kept anyway, by another
    /// crate perhaps. It must be cheap, must neither wait nor ask the registry, and must never decrease. Several add
    /// up, as those do whose label is [`OTHER`](crate::OTHER).
    pub fn read_from(&self, source: impl Fn() -> u64 + Send + Sync + 'static) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }

    /// The count now.
    pub fn value(&self) -> u64 {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        self.own.get() + sources.iter().map(|source| source()).sum::<u64>()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counter({})", self.value())
    }
}

impl EncodeMetric for Counter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter(&self.value(), None::<&Exemplar<Vec<(String, String)>, u64>>)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

impl Counts for Counter {
    fn width(&self) -> usize {
        1
    }

    fn read(&self, into: &mut [u64]) {
        into[0] = self.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_on_its_own_and_from_its_sources() {
        let counter = Counter::default();
        counter.clone().inc();
        counter.add(4);
        assert_eq!(counter.value(), 5);
        counter.read_from(|| 10);
        counter.read_from(|| 1000);
        assert_eq!(counter.value(), 1015);
    }
}
