//! Graphs as Mackerel shows them, and the lines in them.

use std::time::Instant;

use crate::counter::Counter;
use crate::family::{Each, Family, MOST_VALUES};
use crate::gauge::Measured;
use crate::histogram::{Distributed, percentile};
use crate::name::Part;
use crate::window::{Counts, HOUR, MINUTE, RECENT, Slot, Span, View, Window};

/// A percentile of fewer observations is none.
const LEAST_SAMPLES: u64 = 20;

/// The unit of a graph, as Mackerel knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, whole ones.
    Integer,
    /// Anything else: things a second, days.
    Float,
    /// Of a hundred.
    Percentage,
    /// Times, in thousandths of a second.
    Milliseconds,
    /// Memory.
    Bytes,
    /// Throughput.
    BytesPerSecond,
}

impl Unit {
    /// Each of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Integer, Self::Float, Self::Percentage, Self::Milliseconds, Self::Bytes, Self::BytesPerSecond];

    /// Mackerel's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Integer => "integer",
            Unit::Float => "float",
            Unit::Percentage => "percentage",
            Unit::Milliseconds => "milliseconds",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/sec",
        }
    }
}

/// A line of a graph: how its value comes from a metric. It is in the `--all` set only, unless
/// [`Line::by_default`] says otherwise.
#[must_use]
pub struct Line {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) stacked: bool,
    pub(crate) by_default: bool,
    factor: f64,
    kind: Kind,
}

/// What a line shows. A source that is followed has its place in a window.
enum Kind {
    Now(Box<dyn Measured>),
    Rate(Followed),
    Each { family: Family<Counter>, followed: Followed },
    Percentile { bounds: &'static [f64], quantile: f64, followed: Followed },
    Share { part: Followed, rest: Followed },
    LastHour(Followed),
}

/// Before and after it is known where in the window it is.
enum Followed {
    Source(Box<dyn Counts>),
    Slot(Slot),
}

impl Line {
    fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, stacked: false, by_default: false, factor: 1.0, kind }
    }

    /// A gauge or a reading, as it is.
    pub fn now(name: &'static str, label: &'static str, of: &(impl Measured + Clone)) -> Self {
        Self::new(name, label, Kind::Now(Box::new(of.clone())))
    }

    /// How fast a counter, or the sum of a family of them, grew in the last minute: a second.
    pub fn rate(name: &'static str, label: &'static str, of: &(impl Counts + Clone)) -> Self {
        Self::new(name, label, Kind::Rate(Followed::of(of)))
    }

    /// A rate for each value of a family's label; the line's name is the value, and so is its label.
    pub fn each(family: &Family<Counter>) -> Self {
        let followed = Followed::Source(Box::new(Each(family.clone())));
        Self::new("", "", Kind::Each { family: family.clone(), followed })
    }

    /// The value below which the share `quantile` (0.99) of the last minute's observations lies; none of fewer
    /// than twenty.
    pub fn percentile(
        name: &'static str,
        label: &'static str,
        of: &(impl Distributed + Clone),
        quantile: f64,
    ) -> Self {
        let kind = Kind::Percentile { bounds: of.bounds(), quantile, followed: Followed::of(of) };
        Self::new(name, label, kind)
    }

    /// How much `part` is of `part` and `rest` together in the last minute, of a hundred; none if nothing was
    /// counted.
    pub fn share(
        name: &'static str,
        label: &'static str,
        part: &(impl Counts + Clone),
        rest: &(impl Counts + Clone),
    ) -> Self {
        Self::new(name, label, Kind::Share { part: Followed::of(part), rest: Followed::of(rest) })
    }

    /// What was counted in the last hour, to a minute; since the start, if that is less.
    pub fn last_hour(name: &'static str, label: &'static str, of: &(impl Counts + Clone)) -> Self {
        Self::new(name, label, Kind::LastHour(Followed::of(of)))
    }

    /// In the default set, of which a program has twelve at most: Mackerel bills by the metric.
    pub fn by_default(mut self) -> Self {
        self.by_default = true;
        self
    }

    /// Drawn on top of the others.
    pub fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// Times `factor`: 1000 makes milliseconds of seconds.
    pub fn times(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Has the windows follow what it needs.
    pub(crate) fn follow(&mut self, minute: &mut Window, hour: &mut Window) {
        match &mut self.kind {
            Kind::Now(_) => {}
            Kind::Rate(followed) | Kind::Each { followed, .. } | Kind::Percentile { followed, .. } => {
                followed.follow(minute);
            }
            Kind::Share { part, rest } => {
                part.follow(minute);
                rest.follow(minute);
            }
            Kind::LastHour(followed) => followed.follow(hour),
        }
    }

    /// The names and labels of the lines it makes: one, but for a line of each value. A label that may get any
    /// value is Mackerel's wildcard.
    pub(crate) fn drawn(&self) -> Vec<(String, String)> {
        match &self.kind {
            Kind::Each { family, .. } if family.is_closed() => {
                let values = family.all().into_iter();
                values.map(|(value, _)| (Part::of(&value).to_string(), value)).collect()
            }
            Kind::Each { .. } => vec![("*".to_owned(), "%1".to_owned())],
            _ => vec![(self.name.to_owned(), self.label.to_owned())],
        }
    }

    /// How many metrics it is, at most.
    pub(crate) fn count(&self) -> usize {
        match &self.kind {
            Kind::Each { family, .. } if !family.is_closed() => MOST_VALUES + 1,
            _ => self.drawn().len(),
        }
    }

    /// The values, each with its line's name.
    pub(crate) fn values(&self, views: &Views<'_>) -> Vec<(Part, f64)> {
        match &self.kind {
            Kind::Each { family, followed } => self.each_value(family, followed, views),
            _ => self.value(views, MINUTE).map(|value| (Part::of(self.name), value)).into_iter().collect(),
        }
    }

    /// The value for people who look at it live: rates of a few seconds.
    pub(crate) fn recent(&self, views: &Views<'_>) -> Option<f64> {
        let span = if matches!(self.kind, Kind::Percentile { .. }) { MINUTE } else { RECENT };
        self.value(views, span)
    }

    /// The value; none if there is none, or none that is a number.
    pub(crate) fn value(&self, views: &Views<'_>, span: Span) -> Option<f64> {
        let difference = |followed: &Followed| views.minute.difference(followed.slot()?, span);
        #[allow(clippy::cast_precision_loss)] // counts of a minute or an hour
        let value = match &self.kind {
            Kind::Now(of) => of.measure()?,
            Kind::Rate(of) | Kind::Each { followed: of, .. } => difference(of)?.rate(),
            Kind::Percentile { bounds, quantile, followed } => {
                percentile(bounds, &difference(followed)?.counts, *quantile, LEAST_SAMPLES)?
            }
            Kind::Share { part, rest } => {
                let (part, rest) = (difference(part)?.total() as f64, difference(rest)?.total() as f64);
                (part + rest > 0.0).then_some(100.0 * part / (part + rest))?
            }
            Kind::LastHour(of) => views.hour.last(of.slot()?, HOUR)? as f64,
        };
        Some(value * self.factor).filter(|value| value.is_finite())
    }

    /// Values whose names are the same are added.
    #[allow(clippy::cast_precision_loss)]
    fn each_value(&self, family: &Family<Counter>, of: &Followed, views: &Views<'_>) -> Vec<(Part, f64)> {
        let Some(all) = of.slot().and_then(|slot| views.minute.difference(slot, MINUTE)) else {
            return Vec::new();
        };
        let mut values: Vec<(Part, f64)> = Vec::new();
        for ((value, _), count) in Each(family.clone()).in_order().into_iter().zip(&all.counts) {
            let rate = self.factor * *count as f64 / all.covered.as_secs_f64();
            let name = Part::of(&value);
            match values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += rate,
                None => values.push((name, rate)),
            }
        }
        values
    }
}

impl Followed {
    fn of(of: &(impl Counts + Clone)) -> Self {
        Self::Source(Box::new(of.clone()))
    }

    fn follow(&mut self, window: &mut Window) {
        let Self::Source(source) = std::mem::replace(self, Self::Slot(0..0)) else { return };
        *self = Self::Slot(window.follow(source));
    }

    fn slot(&self) -> Option<&Slot> {
        match self {
            Self::Source(_) => None,
            Self::Slot(slot) => Some(slot),
        }
    }
}

/// Both windows at one moment.
pub(crate) struct Views<'a> {
    pub(crate) minute: View<'a>,
    pub(crate) hour: View<'a>,
}

impl<'a> Views<'a> {
    pub(crate) fn of(minute: &'a Window, hour: &'a Window, now: Instant) -> Self {
        Self { minute: minute.view(now), hour: hour.view(now) }
    }
}

/// A graph.
pub(crate) struct Graph {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) unit: Unit,
    pub(crate) lines: Vec<Line>,
}
