//! What a group moved in each of the last 64 seconds, for who looks when nobody runs any more.
//!
//! A cell is one word, so that a second ends and the next begins in one step: the second's number mod 2^24
//! in the high 24 bits (it comes again after 194 days), the bytes in the low 40.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Group;
use super::layout::{CELL_COUNT, CELLS};

const BYTES: u64 = (1 << 40) - 1;

impl Group {
    /// Adds to the cell of this second since 1970.
    pub(crate) fn count_in_cell(&self, second: u64, bytes: u64) {
        add(self.map.word(cell_at(second)), second, bytes);
    }

    /// What was moved in `second`, if that is not too long ago.
    pub(crate) fn moved_in(&self, second: u64) -> u64 {
        let cell = self.map.get(cell_at(second));
        if cell & !BYTES == tag(second) { cell & BYTES } else { 0 }
    }

    /// Bytes a second over the `seconds` before this one.
    pub(crate) fn recent_rate(&self, now: u64, seconds: u64) -> u64 {
        (1..=seconds).map(|back| self.moved_in(now.saturating_sub(back))).sum::<u64>() / seconds
    }
}

fn cell_at(second: u64) -> usize {
    CELLS + 8 * (second % CELL_COUNT) as usize
}

fn tag(second: u64) -> u64 {
    second << 40
}

fn add(cell: &AtomicU64, second: u64, bytes: u64) {
    let more = |old: u64| {
        let before = if old & !BYTES == tag(second) { old & BYTES } else { 0 };
        Some(tag(second) | before.saturating_add(bytes).min(BYTES))
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
            [(100, 5, 5), (100, 6, 11), (164, 7, 7), (164, u64::MAX, BYTES), (164, 1, BYTES), (228, 1, 1)];
        for (second, bytes, sum) in table {
            add(&cell, second, bytes);
            assert_eq!(cell.load(Ordering::Relaxed), tag(second) | sum);
        }
        assert_eq!(tag(1 << 24), 0);
        assert_eq!((cell_at(0), cell_at(63), cell_at(64)), (512, 1016, 512));
    }
}
