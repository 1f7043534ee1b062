//! Stream bytes that are held: a queue of pooled blocks that grows as it fills and shrinks as it empties.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use relay::{Buffer, Size};

use super::budget::{Budget, Charge};

/// One block. Small, so that a keystroke does not hold much, and from a pool, so that it costs little.
pub(super) const BLOCK: usize = Size::Small.bytes();

/// The queue. Empty, it holds nothing.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: VecDeque<Buffer>,
    /// Where the first byte is in the first block.
    start: usize,
    len: usize,
    charge: Charge,
    /// What stays charged though it is not held: it is promised.
    promised: usize,
}

impl Blocks {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { blocks: VecDeque::new(), start: 0, len: 0, charge: Charge::none(budget), promised: 0 }
    }

    /// How many bytes are in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How much memory it holds, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// How many more bytes may be pushed within the budget.
    pub(super) fn room(&self) -> usize {
        let most = self.charge.most() / BLOCK * BLOCK;
        most.max(self.memory()) - self.start - self.len
    }

    /// Keeps `bytes` charged from now on, if the budget allows it, so that so much can always be held.
    pub(super) fn promise(&mut self, bytes: usize) -> bool {
        let granted = self.charge.try_raise(bytes.max(self.memory()));
        if granted {
            self.promised = bytes;
        }
        granted
    }

    /// Appends. Whether there is [room](Self::room) is the caller's to know: nothing is refused here.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let end = self.start + self.len;
            if end == self.memory() {
                self.blocks.push_back(Buffer::take(Size::Small));
                self.charge_for_memory();
            }
            let at = end % BLOCK;
            let n = bytes.len().min(BLOCK - at);
            self.blocks[end / BLOCK][at..at + n].copy_from_slice(&bytes[..n]);
            self.len += n;
            bytes = &bytes[n..];
        }
    }

    /// Drops the first `n` bytes, or all if there are fewer.
    pub(super) fn drop_front(&mut self, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        self.start += n;
        let emptied = if self.len == 0 { self.blocks.len() } else { self.start / BLOCK };
        self.blocks.drain(..emptied);
        self.start = if self.len == 0 { 0 } else { self.start % BLOCK };
        if self.blocks.is_empty() && self.blocks.capacity() > 4 {
            self.blocks = VecDeque::new();
        }
        if emptied > 0 {
            self.charge_for_memory();
        }
    }

    fn charge_for_memory(&mut self) {
        self.charge.set(self.memory().max(self.promised));
    }

    /// The bytes from `offset` on, piece by piece.
    pub(super) fn pieces(&self, offset: usize) -> impl Iterator<Item = &[u8]> {
        let (begin, end) = (self.start + offset.min(self.len), self.start + self.len);
        self.blocks.iter().enumerate().filter_map(move |(index, block)| {
            let from = begin.saturating_sub(index * BLOCK);
            let to = end.saturating_sub(index * BLOCK).min(BLOCK);
            (from < to).then(|| &block[from..to])
        })
    }

    /// Fills `into` with the bytes from `offset` on; tells how many there were.
    pub(super) fn copy_to(&self, offset: usize, into: &mut [u8]) -> usize {
        let mut done = 0;
        for piece in self.pieces(offset) {
            let n = piece.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&piece[..n]);
            done += n;
        }
        done
    }

    /// For a vectored write: fills `into` with the first pieces; tells how many there are.
    pub(super) fn slices<'b>(&'b self, into: &mut [IoSlice<'b>]) -> usize {
        into.iter_mut().zip(self.pieces(0)).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue_and_holds_no_more_than_it_must(
            steps in prop::collection::vec((0..60_000usize, 0..60_000usize, 0..100_000usize), 1..20)
        ) {
            let budget = Budget::new(1 << 20);
            let mut blocks = Blocks::new(&budget);
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut next = 0u8;
            for (push, drop, offset) in steps {
                let bytes: Vec<u8> = (0..push).map(|_| { next = next.wrapping_mul(5).wrapping_add(3); next }).collect();
                blocks.push(&bytes);
                model.extend(&bytes);
                let all: Vec<u8> = model.iter().copied().skip(offset).collect();
                prop_assert_eq!(blocks.pieces(offset).collect::<Vec<_>>().concat(), all.clone());
                let mut some = vec![0; 1000];
                let n = blocks.copy_to(offset, &mut some);
                prop_assert_eq!(&some[..n], &all[..all.len().min(1000)]);
                blocks.drop_front(drop);
                model.drain(..drop.min(model.len()));
                prop_assert_eq!(blocks.len(), model.len());
                prop_assert!(blocks.memory() <= model.len().div_ceil(BLOCK) * BLOCK + BLOCK);
                prop_assert!(!model.is_empty() || blocks.memory() == 0);
                prop_assert_eq!(budget.used(), blocks.memory());
            }
        }
    }

    #[test]
    fn room_is_what_the_budget_leaves_and_64_kib_at_least() {
        let budget = Budget::new(10 * BLOCK);
        let (mut a, mut b) = (Blocks::new(&budget), Blocks::new(&budget));
        a.push(&[0; 9 * BLOCK + 1]);
        assert_eq!((a.room(), b.room()), (BLOCK - 1, 4 * BLOCK));
        b.push(&[0; 1]);
        assert_eq!((a.room(), b.room()), (BLOCK - 1, 4 * BLOCK - 1));
        a.drop_front(BLOCK + 5);
        assert_eq!(a.room(), BLOCK - 1, "what is left of the last block");
        drop(a);
        assert_eq!((b.room(), budget.used()), (10 * BLOCK - 1, BLOCK));
    }

    #[test]
    fn a_promise_stays_charged() {
        let budget = Budget::new(10 * BLOCK);
        let (mut a, mut b) = (Blocks::new(&budget), Blocks::new(&budget));
        assert!(a.promise(8 * BLOCK) && !b.promise(3 * BLOCK));
        a.push(&[0; 5 * BLOCK]);
        assert_eq!(budget.used(), 8 * BLOCK);
        a.drop_front(5 * BLOCK);
        assert_eq!((budget.used(), a.memory()), (8 * BLOCK, 0));
        drop(a);
        assert!(b.promise(3 * BLOCK));
    }
}
