//! When a direction carries so much that a pipe is worth its system calls.

use crate::Size;

/// What is copied before a pipe is taken.
const COPIED_FIRST: usize = 64 * 1024;

/// What is copied after no pipe could be had, before the next try: a few milliseconds' worth, so that
/// asking the kernel in vain costs nothing that can be measured.
const COPIED_AFTER_REFUSAL: usize = 4 * 1024 * 1024;

/// What moves at once is not less than this in a burst, if there is room for it. Two splices of 16 KiB take
/// a tenth longer than two copies; of 64 KiB, less long.
const LARGE: usize = Size::Medium.bytes() / 2;

/// The state of a direction: how much more is to be copied until it is spliced.
#[derive(Debug)]
pub(super) struct Burst {
    left: usize,
}

impl Burst {
    /// Small messages, until more is seen.
    pub(super) const fn new() -> Self {
        Self { left: COPIED_FIRST }
    }

    /// Whether the next bytes are to be spliced.
    pub(super) fn is_bulk(&self) -> bool {
        self.left == 0
    }

    /// Learns from `n` bytes that came at once where there was `room`. Few of them end the burst, but not
    /// the wait after a refusal.
    pub(super) fn came(&mut self, n: usize, room: usize) {
        if n < LARGE.min(room) {
            self.left = self.left.max(COPIED_FIRST);
        } else {
            self.left = self.left.saturating_sub(n);
        }
    }

    /// There is no pipe to be had.
    pub(super) fn refused(&mut self) {
        self.left = COPIED_AFTER_REFUSAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_after_64_kib_and_ends_with_a_small_message() {
        const KIB: usize = 1024;
        const START: (usize, usize) = (16 * KIB, 16 * KIB);
        for (came, bulk) in [
            (&[(64, 16 * KIB)][..], false),
            (&[START, (64 * KIB, 64 * KIB)], true),
            (&[START, START, START], false),
            (&[START, START, START, START], true),
            (&[START, (16 * KIB, 64 * KIB), (63 * KIB, 64 * KIB)], false),
            (&[START, (64 * KIB, 64 * KIB), (32 * KIB, 1024 * KIB)], true),
            (&[START, (64 * KIB, 64 * KIB), (31 * KIB, 1024 * KIB)], false),
            (&[START, (64 * KIB, 64 * KIB), (100, 1024 * KIB), (64 * KIB, 64 * KIB)], true),
        ] {
            let mut burst = Burst::new();
            came.iter().for_each(|(n, room)| burst.came(*n, *room));
            assert_eq!(burst.is_bulk(), bulk, "{came:?}");
        }
        let many_small = (0..100_000).fold(Burst::new(), |mut burst, _| {
            burst.came(64, 16 * KIB);
            burst
        });
        assert!(!many_small.is_bulk(), "a chat is never a burst");
    }

    #[test]
    fn a_refusal_is_remembered_for_a_while() {
        let mut burst = Burst::new();
        burst.came(64 * 1024, 64 * 1024);
        burst.refused();
        burst.came(1024 * 1024, 1024 * 1024);
        burst.came(10, 16 * 1024);
        assert!(!burst.is_bulk(), "neither by much nor by little");
        burst.came(3 * 1024 * 1024, 3 * 1024 * 1024);
        assert!(burst.is_bulk());
    }
}
