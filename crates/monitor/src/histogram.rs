//! How a quantity is distributed: fixed buckets, each an atomic.
//!
//! prometheus-client's own histogram is behind a mutex, which the hot path must not take.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::window::Counts;

/// Upper bounds for set-up times and round trips: from 0.1 ms to 100 s, three a decade and some.
pub const SECONDS: &[f64] = &[
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
    0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 50.0, 100.0,
];

/// Upper bounds for what is decided in memory: from 1 µs to 100 ms.
pub const MICROSECONDS: &[f64] = &[
    0.000_001,
    0.000_002,
    0.000_003,
    0.000_005,
    0.000_007_5,
    0.000_01,
    0.000_015,
    0.000_02,
    0.000_03,
    0.000_05,
    0.000_075,
    0.000_1,
    0.000_15,
    0.000_2,
    0.000_3,
    0.000_5,
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
];

/// A distribution. Clones are the same one; an observation is a search among the bounds and two relaxed
/// atomic additions.
#[derive(Clone)]
pub struct Histogram {
    shared: Arc<Shared>,
}

struct Shared {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above all.
    buckets: Box<[AtomicU64]>,
    /// In billionths, so that an addition is one operation; it wraps after 584 years of seconds.
    sum: AtomicU64,
}

/// Of a second, or of whatever is observed.
const BILLIONTHS: f64 = 1e9;

impl Histogram {
    /// One with these upper bounds, in rising order.
    pub fn new(bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted() && !bounds.is_empty(), "{bounds:?}");
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { shared: Arc::new(Shared { bounds, buckets, sum: AtomicU64::new(0) }) }
    }

    /// How long it took.
    pub fn observe(&self, took: Duration) {
        self.observe_value(took.as_secs_f64());
    }

    /// A quantity in the metric's unit; what is negative or NaN counts as 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates, and NaN becomes 0
    pub fn observe_value(&self, value: f64) {
        let value = value.max(0.0);
        let bucket = self.shared.bounds.partition_point(|bound| *bound < value);
        self.shared.buckets[bucket].fetch_add(1, Relaxed);
        self.shared.sum.fetch_add((value * BILLIONTHS) as u64, Relaxed);
    }

    fn counts(&self) -> Vec<u64> {
        self.shared.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect()
    }

    #[allow(clippy::cast_precision_loss)] // a sum is read to fewer digits than 2^53 has
    fn sum(&self) -> f64 {
        self.shared.sum.load(Relaxed) as f64 / BILLIONTHS
    }
}

/// The value below which the share `quantile` of `counts` lies: linear within its bucket. What is above the
/// last bound is at that bound, since no more is known of it. None if there are fewer than `least`.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn percentile(bounds: &[f64], counts: &[u64], quantile: f64, least: u64) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    if total < least.max(1) {
        return None;
    }
    let rank = quantile * total as f64;
    let mut below = 0.0;
    for (bucket, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let Some(upper) = bounds.get(bucket) else { break };
            let lower = bucket.checked_sub(1).map_or(0.0, |before| bounds[before]);
            return Some(lower + (upper - lower) * (rank - below) / count);
        }
        below += count;
    }
    bounds.last().copied()
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({:?})", self.counts())
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = self.shared.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts();
        let total = counts.iter().sum();
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum(), total, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// What percentiles can be told of: its [`Counts`] are those of buckets.
pub trait Distributed: Counts {
    /// The upper bounds of all buckets but the last, which has none.
    fn bounds(&self) -> &'static [f64];
}

impl Distributed for Histogram {
    fn bounds(&self) -> &'static [f64] {
        self.shared.bounds
    }
}

impl Counts for Histogram {
    fn width(&self) -> usize {
        self.shared.buckets.len()
    }

    fn read(&self, into: &mut [u64]) {
        for (count, bucket) in into.iter_mut().zip(&self.shared.buckets) {
            *count = bucket.load(Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_fall_into_their_buckets() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.0, 1.0, 1.5, 2.0, 2.1, f64::INFINITY, f64::NAN, -1.0] {
            histogram.observe_value(value);
        }
        assert_eq!(histogram.counts(), [4, 2, 2]);
        let histogram = Histogram::new(SECONDS);
        histogram.observe(Duration::from_millis(250));
        histogram.observe(Duration::from_millis(500));
        assert!((histogram.sum() - 0.75).abs() < 1e-9);
    }

    #[test]
    fn the_bounds_rise() {
        for bounds in [SECONDS, MICROSECONDS] {
            assert!(bounds.windows(2).all(|two| two[0] < two[1]), "{bounds:?}");
        }
    }

    #[test]
    fn percentiles_are_linear_within_a_bucket() {
        let bounds = [1.0, 2.0, 4.0];
        for (counts, quantile, expected) in [
            ([0, 0, 0, 0], 0.5, None),
            ([10, 9, 0, 0], 0.5, None),
            ([20, 0, 0, 0], 0.5, Some(0.5)),
            ([20, 0, 0, 0], 1.0, Some(1.0)),
            ([0, 20, 0, 0], 0.5, Some(1.5)),
            ([10, 0, 10, 0], 0.75, Some(3.0)),
            ([10, 0, 10, 0], 0.5, Some(1.0)),
            ([10, 0, 0, 90], 0.99, Some(4.0)),
            ([0, 0, 0, 20], 0.01, Some(4.0)),
        ] {
            assert_eq!(percentile(&bounds, &counts, quantile, 20), expected, "{counts:?} {quantile}");
        }
    }
}
