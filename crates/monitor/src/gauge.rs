//! What goes up and down.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, gauge};

use crate::family::Family;

/// A number that goes up and down. Clones are the same number; changing it is one relaxed atomic operation.
#[derive(Clone, Debug, Default)]
pub struct Gauge(gauge::Gauge);

impl Gauge {
    /// One more.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// One less.
    pub fn dec(&self) {
        self.0.dec();
    }

    /// Whatever it was, it is `value`.
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// The number now.
    pub fn value(&self) -> i64 {
        self.0.get()
    }

    /// One more, until the guard is dropped: it moves into the task that is counted.
    pub fn hold(&self) -> Held {
        self.inc();
        Held(self.clone())
    }
}

/// One, as long as it lives.
#[derive(Debug)]
pub struct Held(Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl EncodeMetric for Gauge {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// A gauge that is kept by nobody, but read when somebody asks: keys loaded, days until one expires.
///
/// It is declared before what it reads exists, so that the graphs can be printed without a daemon; until
/// [`Reading::read_from`] it has no value. Clones are the same reading.
#[derive(Clone, Default)]
pub struct Reading(Arc<OnceLock<Source>>);

type Source = Box<dyn Fn() -> Option<f64> + Send + Sync>;

impl Reading {
    /// Where it comes from. It is read at every collection, and each second if it is in the default set, so it
    /// must be cheap, and must neither wait nor ask the registry. None, NaN and infinity are no value. Only the first source counts.
    pub fn read_from(&self, source: impl Fn() -> Option<f64> + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(source));
    }

    /// What it is now.
    pub fn value(&self) -> Option<f64> {
        self.0.get().and_then(|source| source()).filter(|value| value.is_finite())
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({:?})", self.value())
    }
}

/// Without a value there is no sample.
impl EncodeMetric for Reading {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        // It may have changed since it was asked whether it is empty.
        self.value().map_or(Ok(()), |value| encoder.encode_gauge(&value))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.value().is_none()
    }
}

/// What has a value now, or none.
pub trait Measured: Send + Sync + 'static {
    /// The value, in the metric's unit.
    fn measure(&self) -> Option<f64>;
}

impl Measured for Gauge {
    #[allow(clippy::cast_precision_loss)] // 2^53 of anything is not reached
    fn measure(&self) -> Option<f64> {
        Some(self.value() as f64)
    }
}

/// The sum over all values.
impl Measured for Family<Gauge> {
    fn measure(&self) -> Option<f64> {
        self.all().iter().map(|(_, gauge)| gauge.measure()).sum()
    }
}

impl Measured for Reading {
    fn measure(&self) -> Option<f64> {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_held_and_let_go() {
        let gauge = Gauge::default();
        let held = (gauge.hold(), gauge.hold());
        assert_eq!(gauge.measure(), Some(2.0));
        drop(held);
        assert_eq!(gauge.value(), 0);
        gauge.set(-3);
        gauge.dec();
        assert_eq!(gauge.value(), -4);
    }

    #[test]
    fn a_family_is_its_sum() {
        let family = Family::new("app", &["a"], Gauge::default);
        assert_eq!(family.measure(), Some(0.0));
        let _held = [family.with("a").hold(), family.with("b").hold(), family.with("c").hold()];
        assert_eq!(family.measure(), Some(3.0));
    }

    #[test]
    fn a_reading_has_a_finite_value_or_none() {
        for (source, expected) in
            [(None, None), (Some(1.5), Some(1.5)), (Some(f64::NAN), None), (Some(f64::INFINITY), None)]
        {
            let reading = Reading::default();
            assert_eq!(reading.value(), None, "before it has a source");
            reading.read_from(move || source);
            assert_eq!(reading.value(), expected);
        }
    }
}
