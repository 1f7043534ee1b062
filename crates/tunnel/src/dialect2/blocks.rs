//! Stream bytes that are held: a queue of pooled blocks that grows as it fills and shrinks as it empties.
//!
//! ```text
//!   small blocks, filled by copying      a buffer that was read into: kept as it is
//!   [..####][######][###...]             [room for a header ###################.....]
//! ```
//!
//! A kept buffer costs no copy, but holds more memory than bytes. So it is only kept if it is half full and
//! there is memory for all of it; and when memory runs short, what is held moves to small blocks.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use relay::{Buffer, Size};

use super::budget::{Budget, Charge};
use super::memory::Memory;

/// A block that is copied to. Small, so that a keystroke does not hold much, and from a pool, so that it
/// costs little.
pub(super) const BLOCK: usize = Size::Small.bytes();

/// The queue. Empty, it holds nothing.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: VecDeque<Block>,
    len: usize,
    /// What the blocks take, in bytes.
    memory: usize,
    /// How many of the blocks are kept buffers.
    kept: usize,
    /// More memory than this is not taken for the sake of kept buffers.
    most: usize,
    charge: Charge,
    /// What stays charged though it is not held: it is promised.
    promised: usize,
}

#[derive(Debug)]
struct Block {
    memory: Memory,
    held: Range<usize>,
}

impl Block {
    fn bytes(&self) -> &[u8] {
        &self.memory[self.held.clone()]
    }

    fn is_kept(&self) -> bool {
        matches!(self.memory, Memory::Shared(_))
    }

    /// Where more can be copied to.
    fn free(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Own(buffer) => &mut buffer[self.held.end..],
            Memory::Shared(_) => &mut [],
        }
    }
}

impl Blocks {
    /// A queue that takes at most `most` bytes of memory as long as it holds less.
    pub(super) fn new(budget: &Arc<Budget>, most: usize) -> Self {
        let charge = Charge::none(budget);
        Self { blocks: VecDeque::new(), len: 0, memory: 0, kept: 0, most, charge, promised: 0 }
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
        self.memory
    }

    /// How many more bytes may be pushed within the budget.
    pub(super) fn room(&self) -> usize {
        let most = self.charge.most() / BLOCK * BLOCK;
        let (start, memory) = match self.blocks.front() {
            Some(first) if self.kept == 0 => (first.held.start, self.memory),
            // As if all were in small blocks: pushing moves it there if need be.
            _ => (0, self.len.next_multiple_of(BLOCK)),
        };
        most.max(memory) - start - self.len
    }

    /// Keeps `bytes` charged from now on, if the budget allows it, so that so much can always be held.
    pub(super) fn promise(&mut self, bytes: usize) -> bool {
        let granted = self.charge.try_raise(bytes.max(self.memory));
        if granted {
            self.promised = bytes;
        }
        granted
    }

    /// Takes back what was promised.
    pub(super) fn unpromise(&mut self) {
        self.promised = 0;
        self.charge_for_memory();
    }

    /// Appends. Whether there is [room](Self::room) is the caller's to know: nothing is refused here.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.fill_last(bytes);
            bytes = &bytes[n..];
            if bytes.is_empty() {
                return;
            }
            if self.is_crammed() {
                self.move_to_small_blocks();
            } else {
                self.add(Block { memory: Memory::Own(Buffer::take(Size::Small)), held: 0..0 });
            }
        }
    }

    /// Copies what has room in the last block.
    fn fill_last(&mut self, bytes: &[u8]) -> usize {
        let Some(last) = self.blocks.back_mut() else { return 0 };
        let free = last.free();
        let n = free.len().min(bytes.len());
        free[..n].copy_from_slice(&bytes[..n]);
        last.held.end += n;
        self.len += n;
        n
    }

    /// The largest buffer up to `size` that could be [kept](Self::keep) now; `size` if none could.
    pub(super) fn size_to_keep(&self, size: Size) -> Size {
        let left = self.allowed().saturating_sub(self.memory);
        let fits = |candidate: &Size| *candidate <= size && candidate.bytes() <= left;
        [Size::Large, Size::Medium, Size::Small].into_iter().find(fits).unwrap_or(size)
    }

    /// Whether nothing more could be taken, but for what has room in the last block, unless all that is held moves
    /// together first.
    pub(super) fn is_crammed(&self) -> bool {
        self.kept > 0 && self.memory + BLOCK > self.allowed()
    }

    /// Whether so many bytes in a buffer of this size are better [kept](Self::keep) than copied.
    pub(super) fn would_keep(&self, bytes: usize, size: usize) -> bool {
        bytes * 2 >= size && self.memory + size <= self.allowed()
    }

    /// How much memory it may hold for the sake of kept buffers.
    fn allowed(&self) -> usize {
        self.most.min(self.charge.most())
    }

    /// Appends `buffer[held]` without copying it.
    pub(super) fn keep(&mut self, buffer: Arc<Buffer>, held: Range<usize>) {
        self.len += held.len();
        self.add(Block { memory: Memory::Shared(buffer), held });
    }

    fn add(&mut self, block: Block) {
        self.memory += block.memory.len();
        self.kept += usize::from(block.is_kept());
        self.blocks.push_back(block);
        self.charge_for_memory();
    }

    fn remove_first(&mut self) -> Option<Block> {
        let block = self.blocks.pop_front()?;
        self.memory -= block.memory.len();
        self.kept -= usize::from(block.is_kept());
        Some(block)
    }

    /// Copies all that is held, so that it takes no more memory than it must. Each byte once at most: what is
    /// copied is not kept.
    fn move_to_small_blocks(&mut self) {
        let mut small = Self { most: usize::MAX, ..Self::new(self.charge.budget(), usize::MAX) };
        while let Some(block) = self.remove_first() {
            self.charge_for_memory();
            small.push(block.bytes());
        }
        self.blocks = std::mem::take(&mut small.blocks);
        self.memory = small.memory;
        drop(small);
        self.charge_for_memory();
    }

    /// Drops the first `n` bytes, or all if there are fewer.
    pub(super) fn drop_front(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        let before = self.blocks.len();
        while let Some(first) = self.blocks.front_mut() {
            if left < first.held.len() {
                first.held.start += left;
                break;
            }
            left -= first.held.len();
            self.remove_first();
        }
        if self.blocks.is_empty() && self.blocks.capacity() > 4 {
            self.blocks = VecDeque::new();
        }
        if self.blocks.len() < before {
            self.charge_for_memory();
        }
    }

    fn charge_for_memory(&mut self) {
        self.charge.set(self.memory.max(self.promised));
    }

    /// The bytes from `offset` on, piece by piece.
    pub(super) fn pieces(&self, offset: usize) -> impl Iterator<Item = &[u8]> {
        let mut skip = offset;
        self.blocks.iter().filter_map(move |block| {
            let bytes = block.bytes();
            let from = skip.min(bytes.len());
            skip -= from;
            (from < bytes.len()).then(|| &bytes[from..])
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
            steps in prop::collection::vec((0..60_000usize, 0..60_000usize, 0..100_000usize), 1..20),
            most in prop_oneof![Just(0), 0..400_000usize],
        ) {
            let budget = Budget::new(1 << 20);
            let mut blocks = Blocks::new(&budget, most);
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut next = 0u8;
            for (push, drop, offset) in steps {
                let bytes: Vec<u8> = (0..push).map(|_| { next = next.wrapping_mul(5).wrapping_add(3); next }).collect();
                let size = if push % 3 == 0 { Size::Medium } else { Size::Small };
                if push > 0 && push + 30 <= size.bytes() && blocks.would_keep(push, size.bytes()) {
                    let mut buffer = Buffer::take(size);
                    buffer[30..30 + push].copy_from_slice(&bytes);
                    blocks.keep(Arc::new(buffer), 30..30 + push);
                    prop_assert!(blocks.memory() <= most);
                } else {
                    blocks.push(&bytes);
                }
                model.extend(&bytes);
                prop_assert!(blocks.memory() <= most.max(model.len().div_ceil(BLOCK) * BLOCK + BLOCK));
                let all: Vec<u8> = model.iter().copied().skip(offset).collect();
                prop_assert_eq!(blocks.pieces(offset).collect::<Vec<_>>().concat(), all.clone());
                let mut some = vec![0; 1000];
                let n = blocks.copy_to(offset, &mut some);
                prop_assert_eq!(&some[..n], &all[..all.len().min(1000)]);
                blocks.drop_front(drop);
                model.drain(..drop.min(model.len()));
                prop_assert_eq!(blocks.len(), model.len());
                let held = model.len().div_ceil(BLOCK) * BLOCK + BLOCK;
                prop_assert!(blocks.memory() <= most.max(held));
                prop_assert!(blocks.room() >= (1 << 20) - model.len() - 2 * BLOCK);
                prop_assert!(!model.is_empty() || blocks.memory() == 0);
                prop_assert_eq!(budget.used(), blocks.memory());
            }
        }
    }

    #[test]
    fn room_is_what_the_budget_leaves_and_64_kib_at_least() {
        let budget = Budget::new(10 * BLOCK);
        let (mut a, mut b) = (Blocks::new(&budget, 0), Blocks::new(&budget, 0));
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
        let (mut a, mut b) = (Blocks::new(&budget, 0), Blocks::new(&budget, 0));
        assert!(a.promise(8 * BLOCK) && !b.promise(3 * BLOCK));
        a.push(&[0; 5 * BLOCK]);
        assert_eq!(budget.used(), 8 * BLOCK);
        a.drop_front(5 * BLOCK);
        assert_eq!((budget.used(), a.memory()), (8 * BLOCK, 0));
        a.unpromise();
        assert_eq!(budget.used(), 0);
        assert!(b.promise(3 * BLOCK));
    }

    #[test]
    fn a_buffer_is_kept_if_it_is_half_full_and_memory_is_there() {
        let (budget, half) = (Budget::new(1 << 20), Size::Medium.bytes() / 2);
        let keep = |blocks: &mut Blocks| blocks.keep(Arc::new(Buffer::take(Size::Medium)), 30..30 + half);
        let mut blocks = Blocks::new(&budget, 3 * Size::Medium.bytes());
        for (bytes, kept) in [(half - 1, false), (half, true)] {
            assert_eq!(blocks.would_keep(bytes, Size::Medium.bytes()), kept);
        }
        (0..3).for_each(|_| keep(&mut blocks));
        assert!(!blocks.would_keep(half, Size::Medium.bytes()), "no more memory than agreed");
        assert_eq!((blocks.memory(), blocks.room()), (3 * 2 * half, (1 << 20) - 3 * half));
        blocks.push(&[1]);
        assert_eq!((blocks.memory(), blocks.len()), (3 * half + BLOCK, 3 * half + 1), "moved together");
        assert_eq!(budget.used(), blocks.memory());
        let (tight, other) = (Budget::new(Size::Medium.bytes()), Size::Small.bytes());
        let mut first = Blocks::new(&tight, 1 << 20);
        first.push(&[1]);
        let second = Blocks::new(&tight, 1 << 20);
        assert!(second.would_keep(half, Size::Medium.bytes()), "64 KiB are always granted");
        assert!(!second.would_keep(Size::Large.bytes(), Size::Large.bytes()));
        assert!(first.would_keep(other, other));
    }
}
