//! What happened in the last minute: a ring of copies of the counts, one a second.
//!
//! A difference is that of the counts now and the oldest copy that is no older than the window, over the time
//! between the two: ticks that came late, or did not come, make it shorter or longer and never wrong. The clock
//! is monotonic and comes as an argument.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Counts that only grow, read all at once.
pub trait Counts: Send + Sync + 'static {
    /// How many there are; it never changes.
    fn width(&self) -> usize;

    /// Copies them to `into`, which has that width.
    fn read(&self, into: &mut [u64]);
}

/// How a window's copies lie in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Between two copies, at least.
    pub(crate) step: Duration,
    /// No older copy is used.
    pub(crate) longest: Duration,
    /// Nothing is said of less.
    pub(crate) least: Duration,
}

/// The last 60 s, from 30 s on; a tick may be late by half a second or by more, and one that comes sooner after
/// another is none.
pub(crate) const MINUTE: Span = Span {
    step: Duration::from_millis(500),
    longest: Duration::from_millis(61_500),
    least: Duration::from_secs(30),
};

/// What just happened, for the page.
pub(crate) const RECENT: Span =
    Span { step: Duration::ZERO, longest: Duration::from_millis(5_500), least: Duration::from_millis(500) };

/// A copy a minute, for what is counted in an hour.
pub(crate) const HOUR: Span =
    Span { step: Duration::from_secs(60), longest: Duration::from_secs(60 * 60), least: Duration::ZERO };

/// The copies that are kept.
const COPIES: usize = 61;

/// Where a source's counts are in a copy.
pub(crate) type Slot = Range<usize>;

/// The ring.
#[derive(Default)]
pub(crate) struct Window {
    sources: Vec<Box<dyn Counts>>,
    width: usize,
    /// The oldest first.
    copies: VecDeque<Copy>,
}

#[derive(Clone)]
struct Copy {
    at: Instant,
    counts: Box<[u64]>,
}

/// The counts now, beside the ring.
pub(crate) struct View<'a> {
    window: &'a Window,
    now: Copy,
}

impl Window {
    /// Follows `source` from now on; only before the first copy.
    pub(crate) fn follow(&mut self, source: Box<dyn Counts>) -> Slot {
        let from = self.width;
        self.width += source.width();
        self.sources.push(source);
        from..self.width
    }

    /// Takes a copy, if it is time for one; whether it was.
    pub(crate) fn tick(&mut self, now: Instant, span: Span) -> bool {
        let due = |last: &Copy| now.saturating_duration_since(last.at) >= span.step;
        if !self.copies.back().is_none_or(due) {
            return false;
        }
        let spare = if self.copies.len() >= COPIES { self.copies.pop_front() } else { None };
        let mut copy = spare.unwrap_or_else(|| self.empty(now));
        copy.at = now;
        self.read(&mut copy.counts);
        self.copies.push_back(copy);
        true
    }

    /// The counts at `now`, which are not kept.
    pub(crate) fn view(&self, now: Instant) -> View<'_> {
        let mut copy = self.empty(now);
        self.read(&mut copy.counts);
        View { window: self, now: copy }
    }

    fn empty(&self, at: Instant) -> Copy {
        Copy { at, counts: vec![0; self.width].into() }
    }

    fn read(&self, mut into: &mut [u64]) {
        for source in &self.sources {
            let (own, rest) = into.split_at_mut(source.width());
            source.read(own);
            into = rest;
        }
    }
}

/// What was counted in a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) counts: Vec<u64>,
    /// How long the while was.
    pub(crate) covered: Duration,
}

impl View<'_> {
    /// What was counted in `slot` during the span; none if less than its least time is covered, or if a count
    /// has decreased, which then is no count.
    pub(crate) fn difference(&self, slot: &Slot, span: Span) -> Option<Difference> {
        let young_enough = |copy: &&Copy| self.age(copy) <= span.longest;
        let from = self.window.copies.iter().find(young_enough)?;
        if self.age(from) < span.least || self.age(from).is_zero() {
            return None;
        }
        self.since(from, slot)
    }

    /// What was counted in `slot` in the last hour, all together. No copy that old means that there was no such
    /// time: the ring spans an hour, and counts begin at 0.
    pub(crate) fn last(&self, slot: &Slot, span: Span) -> Option<u64> {
        let old_enough = |copy: &&Copy| self.age(copy) >= span.longest;
        match self.window.copies.iter().rev().find(old_enough) {
            Some(from) => self.since(from, slot).map(|difference| difference.total()),
            None => Some(self.now.counts[slot.clone()].iter().sum()),
        }
    }

    fn since(&self, from: &Copy, slot: &Slot) -> Option<Difference> {
        let pairs = self.now.counts[slot.clone()].iter().zip(&from.counts[slot.clone()]);
        let counts = pairs.map(|(now, then)| now.checked_sub(*then)).collect::<Option<_>>()?;
        Some(Difference { counts, covered: self.age(from) })
    }

    fn age(&self, copy: &Copy) -> Duration {
        self.now.at.saturating_duration_since(copy.at)
    }
}

impl Difference {
    /// All of them, a second.
    #[allow(clippy::cast_precision_loss)] // a rate is read to fewer digits than 2^53 has
    pub(crate) fn rate(&self) -> f64 {
        self.total() as f64 / self.covered.as_secs_f64()
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests;
