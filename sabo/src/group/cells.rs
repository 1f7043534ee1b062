//! What a group moved, and waited for, in each of the last 64 seconds, for who looks when nobody runs any more.
//!
//! A cell is one word, so that a second ends and the next begins in one step: the second's number mod 2^24
//! in the high 24 bits (it comes again after 194 days), the bytes or nanoseconds in the low 40.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Group;
use super::layout::{CELL_COUNT, CELLS, HERE_CELLS, WAITED_CELLS};
use crate::clock::Nanos;
use crate::tally::Waits;

/// The part of a cell that counts: bytes, or nanoseconds, of which 1,024 members have fewer in a second.
const COUNT: u64 = (1 << 40) - 1;

/// What a group did in some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) bytes: u64,
    /// Nanoseconds that members were here, all together.
    pub(crate) here: u64,
    /// Those of them in which they waited for source, sink, limit.
    pub(crate) waited: [u64; 3],
}

impl Group {
    /// Adds to the cell of this second since 1970.
    pub(crate) fn count_in_cell(&self, second: u64, bytes: u64) {
        self.add_to(CELLS, second, bytes);
    }

    /// Adds what the time of a member went to, in the cells of this second since 1970.
    pub(crate) fn spend_in_cells(&self, second: u64, here: Nanos, waits: Waits) {
        self.add_to(HERE_CELLS, second, u64::try_from(here).unwrap_or(0));
        for (row, waited) in WAITED_CELLS.into_iter().zip(waits.each()) {
            self.add_to(row, second, waited);
        }
    }

    /// What was done in the `seconds` before this one.
    pub(crate) fn recent(&self, now: u64, seconds: u64) -> Recent {
        let sum = |row| {
            let cells = (1..=seconds).map(|back| self.cell(row, now.saturating_sub(back)));
            cells.fold(0, u64::saturating_add)
        };
        Recent { bytes: sum(CELLS), here: sum(HERE_CELLS), waited: WAITED_CELLS.map(sum) }
    }

    /// Bytes a second over the `seconds` before this one.
    pub(crate) fn recent_rate(&self, now: u64, seconds: u64) -> u64 {
        self.recent(now, seconds).bytes / seconds
    }

    fn add_to(&self, row: usize, second: u64, count: u64) {
        add(self.map.word(cell_at(row, second)), second, count);
    }

    /// What was counted in `second`, if that is not too long ago.
    fn cell(&self, row: usize, second: u64) -> u64 {
        let cell = self.map.get(cell_at(row, second));
        if cell & !COUNT == tag(second) { cell & COUNT } else { 0 }
    }
}

fn cell_at(row: usize, second: u64) -> usize {
    row + 8 * (second % CELL_COUNT) as usize
}

fn tag(second: u64) -> u64 {
    second << 40
}

fn add(cell: &AtomicU64, second: u64, count: u64) {
    let more = |old: u64| {
        let before = if old & !COUNT == tag(second) { old & COUNT } else { 0 };
        Some(tag(second) | before.saturating_add(count).min(COUNT))
    };
    // The closure always gives a value, so this cannot fail.
    let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_over_the_cell_of_an_old_one() {
        let cell = AtomicU64::new(0);
        let table =
            [(100, 5, 5), (100, 6, 11), (164, 7, 7), (164, u64::MAX, COUNT), (164, 1, COUNT), (228, 1, 1)];
        for (second, bytes, sum) in table {
            add(&cell, second, bytes);
            assert_eq!(cell.load(Ordering::Relaxed), tag(second) | sum);
        }
        assert_eq!(tag(1 << 24), 0);
        assert_eq!([0, 63, 64].map(|second| cell_at(CELLS, second)), [512, 1016, 512]);
    }

    #[test]
    fn the_seconds_before_this_one_are_summed() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let map = crate::group::map::Map::new(&file, 4096, crate::group::map::Access::Write).unwrap();
        let group = Group { file: file.into(), map };
        for second in 1000..1070 {
            group.count_in_cell(second, 10);
            group.spend_in_cells(second, 1000, Waits { source: 1, sink: 2, limit: 3 });
        }
        let minute = Recent { bytes: 600, here: 60_000, waited: [60, 120, 180] };
        let table = [
            (1069, 60, minute),
            (1070, 5, Recent { bytes: 50, here: 5000, waited: [5, 10, 15] }),
            (1129, 60, Recent { bytes: 10, here: 1000, waited: [1, 2, 3] }),
            (1130, 60, Recent::default()),
            (0, 60, Recent::default()),
        ];
        for (now, seconds, expected) in table {
            assert_eq!(group.recent(now, seconds), expected, "at {now}");
        }
        // An older member tells nothing of its time.
        group.count_in_cell(1070, 5);
        assert_eq!(group.recent(1071, 1), Recent { bytes: 5, ..Recent::default() });
    }
}
