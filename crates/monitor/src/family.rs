//! A metric with a label: one of it for each value of the label, at most sixteen, and one for the others.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

use crate::counter::Counter;
use crate::histogram::{Distributed, Histogram};
use crate::window::Counts;

/// How many values of a label are told apart.
pub const MOST_VALUES: usize = 16;

/// The value that stands for all others.
pub const OTHER: &str = "other";

/// A longer value of a label is cut, in bytes.
const LONGEST: usize = 64;

/// A metric for each value of a label. Clones are the same family.
///
/// [`Family::with`] looks the value up under a lock: a connection fetches its handles when it starts, and a
/// handle is then as cheap as any.
#[derive(Clone)]
pub struct Family<M> {
    shared: Arc<Shared<M>>,
}

struct Shared<M> {
    label: &'static str,
    make: Box<dyn Fn() -> M + Send + Sync>,
    /// Whether there are no values but those that were declared.
    closed: bool,
    /// In the order in which they came; [`OTHER`] is not among them.
    values: RwLock<Vec<(String, M)>>,
    other: M,
}

impl<M: Clone> Family<M> {
    /// With `values` from the start. If there are any, others than these are [`OTHER`]; if there are none, the
    /// first sixteen that come are told apart.
    pub(crate) fn new(
        label: &'static str,
        values: &[&str],
        make: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        debug_assert!(values.len() <= MOST_VALUES, "{label} has more than {MOST_VALUES} values");
        debug_assert!((1..values.len()).all(|at| !values[..at].contains(&values[at])), "{label} has doubles");
        let told_apart = values.iter().filter(|value| **value != OTHER);
        let made = told_apart.map(|value| ((*value).to_owned(), make())).collect();
        let (other, closed) = (make(), !values.is_empty());
        let shared = Shared { label, make: Box::new(make), closed, values: RwLock::new(made), other };
        Self { shared: Arc::new(shared) }
    }

    /// That of `value`; the first [`MOST_VALUES`] have their own, the rest share that of [`OTHER`].
    pub fn with(&self, value: &str) -> M {
        let value = cut(value);
        if let Some(found) = self.known(value) {
            return found;
        }
        if self.shared.closed || value == OTHER {
            return self.shared.other.clone();
        }
        let mut values = self.shared.values.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = values.iter().find(|(known, _)| known == value) {
            return found.clone(); // somebody was faster
        }
        if values.len() >= MOST_VALUES {
            return self.shared.other.clone();
        }
        let made = (self.shared.make)();
        values.push((value.to_owned(), made.clone()));
        made
    }

    fn known(&self, value: &str) -> Option<M> {
        let values = self.shared.values.read().unwrap_or_else(PoisonError::into_inner);
        values.iter().find(|(known, _)| known == value).map(|(_, metric)| metric.clone())
    }

    /// All, [`OTHER`] last.
    pub(crate) fn all(&self) -> Vec<(String, M)> {
        let values = self.shared.values.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = values.iter().map(|(value, metric)| (value.clone(), metric.clone())).collect();
        all.push((OTHER.to_owned(), self.shared.other.clone()));
        all
    }

    /// Whether there are no values but those that were declared.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed
    }
}

fn cut(value: &str) -> &str {
    let end = (0..=LONGEST.min(value.len())).rev().find(|end| value.is_char_boundary(*end));
    &value[..end.unwrap_or(0)]
}

impl<M: Clone + fmt::Debug> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}

impl<M: EncodeMetric + Clone> EncodeMetric for Family<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (value, metric) in self.all() {
            let labels = [(self.shared.label, value.as_str())];
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        self.shared.other.metric_type()
    }
}

/// The sum over all values.
impl<M: Counts + Clone> Counts for Family<M> {
    fn width(&self) -> usize {
        self.shared.other.width()
    }

    fn read(&self, into: &mut [u64]) {
        self.shared.other.read(into);
        let mut one = vec![0; into.len()];
        let values = self.shared.values.read().unwrap_or_else(PoisonError::into_inner);
        for (_, metric) in values.iter() {
            metric.read(&mut one);
            into.iter_mut().zip(&one).for_each(|(sum, one)| *sum += one);
        }
    }
}

impl Distributed for Family<Histogram> {
    fn bounds(&self) -> &'static [f64] {
        self.shared.other.bounds()
    }
}

/// Each value of a family for itself, in its order, [`OTHER`] first.
pub(crate) struct Each(pub(crate) Family<Counter>);

impl Counts for Each {
    fn width(&self) -> usize {
        1 + MOST_VALUES
    }

    fn read(&self, into: &mut [u64]) {
        into.fill(0);
        for (at, (_, counter)) in into.iter_mut().zip(self.in_order()) {
            *at = counter.value();
        }
    }
}

impl Each {
    /// A value never changes its place: what is new comes last.
    pub(crate) fn in_order(&self) -> Vec<(String, Counter)> {
        let mut all = self.0.all();
        all.rotate_right(1);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seventeenth_value_is_other() {
        let family: Family<Counter> = Family::new("user", &[], Counter::default);
        for number in 0..40 {
            family.with(&format!("u{number}")).inc();
            family.with("u3").inc();
        }
        let all = family.all();
        assert_eq!(all.len(), MOST_VALUES + 1);
        assert_eq!(all[1].1.value(), 41);
        assert_eq!((all[16].0.as_str(), all[16].1.value()), (OTHER, 24));
        let mut sum = [0];
        family.read(&mut sum);
        assert_eq!(sum, [80]);
    }

    #[test]
    fn declared_values_are_there_from_the_start_and_are_all() {
        let family: Family<Counter> = Family::new("code", &["200", OTHER, "404"], Counter::default);
        family.with("500").inc();
        let all = family.all().into_iter().map(|(value, counter)| (value, counter.value()));
        assert_eq!(all.collect::<Vec<_>>(), [("200".into(), 0), ("404".into(), 0), (OTHER.to_owned(), 1)]);
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let long = "ü".repeat(100);
        for (value, length) in [("", 0), ("abc", 3), (long.as_str(), 64), (&long[2..], 64)] {
            assert_eq!(cut(value).len(), length);
        }
        assert_eq!(cut(&format!("a{long}")).len(), 63);
    }
}
