//! Sharing with originals, which know nothing of the group and take `limit ÷ everybody` each.
//!
//! With N of them, M members of ours share `limit · M/(N+M)`. Originals notice within a second who came or
//! went, so for the second after a change the smaller of the old and the new value holds.

use crate::clock::{Nanos, SECOND};

/// M and N.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heads {
    ours: u64,
    originals: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    now: Heads,
    before: Heads,
    changed: Nanos,
}

/// More originals than this are not believed: a rate of a thousandth is slow enough for garbage.
const MOST: u64 = 4096;

impl Share {
    pub(crate) fn new() -> Self {
        let alone = Heads { ours: 1, originals: 0 };
        Self { now: alone, before: alone, changed: Nanos::MIN / 2 }
    }

    /// Takes in what was counted at `at`.
    pub(crate) fn count(&mut self, at: Nanos, ours: usize, originals: u64) {
        let heads = Heads { ours: ours.max(1) as u64, originals: originals.min(MOST) };
        if heads != self.now {
            *self = Self { now: heads, before: self.now, changed: at };
        }
    }

    /// What of `rate` is ours at `at`, together; at least 1.
    pub(crate) fn of(&self, rate: u64, at: Nanos) -> u64 {
        let share = self.now.of(rate);
        if at < self.changed.saturating_add(SECOND) { share.min(self.before.of(rate)) } else { share }
    }
}

impl Heads {
    fn of(self, rate: u64) -> u64 {
        let share = u128::from(rate) * u128::from(self.ours) / u128::from(self.ours + self.originals);
        u64::try_from(share).unwrap_or(rate).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_value_holds_for_a_second() {
        let mut share = Share::new();
        assert_eq!(share.of(100, 0), 100);
        let table = [
            // at, ours, originals, and what of 100 is ours then, 0.9 s later and 1.1 s later
            (10 * SECOND, 1, 1, [50, 50, 50]),
            (20 * SECOND, 3, 1, [50, 50, 75]),
            (30 * SECOND, 3, 0, [75, 75, 100]),
            (40 * SECOND, 1, 0, [100, 100, 100]),
            (50 * SECOND, 0, 3, [25, 25, 25]),
            (60 * SECOND, 1, u64::MAX, [1, 1, 1]),
        ];
        for (at, ours, originals, expected) in table {
            share.count(at, ours, originals);
            let seen = [0, 900_000_000, 1_100_000_000].map(|later| share.of(100, at + later));
            assert_eq!(seen, expected, "{ours} and {originals}");
        }
        assert_eq!(Share::new().of(u64::MAX, 0), u64::MAX);
    }

    #[test]
    fn counting_the_same_again_is_no_change() {
        let mut share = Share::new();
        share.count(10 * SECOND, 1, 1);
        share.count(11 * SECOND, 1, 1);
        share.count(11 * SECOND, 2, 0);
        share.count(11 * SECOND + 1, 2, 0);
        assert_eq!(share.of(100, 11 * SECOND + 2), 50);
        assert_eq!(share.of(100, 12 * SECOND), 100);
    }
}
