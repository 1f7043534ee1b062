//! The memory of a busy direction, borrowed from a process-wide pool: an idle connection holds none.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// How many bytes a direction reads at once. It grows while reads fill the buffer, since a larger buffer
/// costs fewer system calls a byte, and shrinks when they do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Size {
    /// 16 KiB: where every direction starts.
    #[default]
    Small,
    /// 64 KiB.
    Medium,
    /// 256 KiB: two of these, one a direction, are the most a connection holds.
    Large,
}

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => 16 * 1024,
            Self::Medium => 64 * 1024,
            Self::Large => 256 * 1024,
        }
    }

    /// The size for the next read, after one that got `got` of the `room` bytes it had: larger if it
    /// filled the buffer, smaller if the next smaller one would have held it four times over.
    #[must_use]
    pub fn after(self, got: usize, room: usize) -> Self {
        match self {
            Self::Small if got == room => Self::Medium,
            Self::Medium if got == room => Self::Large,
            Self::Medium if got * 4 <= Self::Small.bytes() => Self::Small,
            Self::Large if got * 4 <= Self::Medium.bytes() => Self::Medium,
            same => same,
        }
    }

    /// How many free buffers of this size the pool keeps: 4 MiB of each.
    const fn kept(self) -> usize {
        4 * 1024 * 1024 / self.bytes()
    }
}

type Free = Mutex<Vec<Box<[u8]>>>;
static POOL: [Free; 3] = [Free::new(Vec::new()), Free::new(Vec::new()), Free::new(Vec::new())];

fn free_list(size: Size) -> &'static Free {
    &POOL[size as usize]
}

/// A pooled buffer, given back when dropped. Its content at first is arbitrary, possibly old payload.
#[derive(Debug)]
pub struct Buffer {
    memory: Box<[u8]>,
    size: Size,
}

impl Buffer {
    /// Takes a buffer from the pool, or allocates one when the pool is empty.
    pub fn take(size: Size) -> Self {
        // A poisoned list is still a list of buffers: nothing in here leaves one half changed.
        let pooled = free_list(size).lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = pooled.unwrap_or_else(|| vec![0; size.bytes()].into_boxed_slice());
        Self { memory, size }
    }

    /// Its size.
    pub fn size(&self) -> Size {
        self.size
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut free = free_list(self.size).lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.size.kept() {
            free.push(memory);
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_reads() {
        let (small, medium, large) = (Size::Small.bytes(), Size::Medium.bytes(), Size::Large.bytes());
        for (now, got, next) in [
            (Size::Small, 1, Size::Small),
            (Size::Small, small - 1, Size::Small),
            (Size::Small, small, Size::Medium),
            (Size::Medium, medium, Size::Large),
            (Size::Medium, small, Size::Medium),
            (Size::Medium, small / 4, Size::Small),
            (Size::Large, large, Size::Large),
            (Size::Large, medium, Size::Large),
            (Size::Large, medium / 4, Size::Medium),
        ] {
            assert_eq!(now.after(got, now.bytes()), next, "{now:?} after {got}");
        }
        // Head room of a frame makes the room smaller than the buffer.
        assert_eq!(Size::Small.after(small - 14, small - 14), Size::Medium);
    }

    #[test]
    fn the_pool_keeps_a_bounded_number() {
        let many: Vec<_> = (0..Size::Large.kept() * 2).map(|_| Buffer::take(Size::Large)).collect();
        assert!(many.iter().all(|b| b.len() == Size::Large.bytes()));
        drop(many);
        let free = free_list(Size::Large).lock().unwrap().len();
        assert!((1..=Size::Large.kept()).contains(&free), "{free} kept");
    }
}
