//! A group file in memory: words that other processes change at any moment, so atomics and nothing else.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::fd::AsFd;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::sigbus::Guard;

#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    length: usize,
    guard: Option<Guard>,
}

// SAFETY: the mapping is reached through atomics only.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

/// What may be done with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Map {
    /// Maps the first `length` bytes of `file`. That they can be lost by truncating the file is told by
    /// [`Map::is_lost`].
    ///
    /// # Errors
    /// The kernel's, and if too many files are mapped.
    pub(crate) fn new(file: impl AsFd, length: usize, access: Access) -> io::Result<Self> {
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        // SAFETY: the kernel chooses the address, so nothing else is there.
        let base = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, file, 0)? };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut map = Self { base, length, guard: None };
        map.guard = Some(Guard::over(base.as_ptr() as usize, length)?);
        Ok(map)
    }

    /// Whether pages were lost since: what is read from them is no longer the file's.
    pub(crate) fn is_lost(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_lost)
    }

    /// The word at byte `at`.
    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.length, "no word at {at}");
        // SAFETY: aligned and inside the mapping, by the assertion and since a mapping begins at a page; it
        // lives as long as self. Other processes change it, which an atomic allows.
        unsafe { self.base.add(at).cast().as_ref() }
    }

    /// The word at byte `at`, as a signed number.
    pub(crate) fn signed(&self, at: usize) -> &AtomicI64 {
        // SAFETY: both atomics have the same size, alignment and validity.
        unsafe { NonNull::from(self.word(at)).cast().as_ref() }
    }

    pub(crate) fn get(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, at: usize, value: u64) {
        self.word(at).store(value, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, at: usize, value: u64) {
        self.word(at).fetch_add(value, Ordering::Relaxed);
    }

    /// `count` words as bytes.
    pub(crate) fn bytes(&self, at: usize, count: usize) -> Vec<u8> {
        (0..count).flat_map(|i| self.get(at + 8 * i).to_ne_bytes()).collect()
    }

    /// Writes `bytes` and zeros up to `count` words.
    pub(crate) fn set_bytes(&self, at: usize, count: usize, bytes: &[u8]) {
        for i in 0..count {
            let mut word = [0; 8];
            let from = bytes.len().min(8 * i);
            let part = &bytes[from..bytes.len().min(8 * i + 8)];
            word[..part.len()].copy_from_slice(part);
            self.set(at + 8 * i, u64::from_ne_bytes(word));
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.guard = None;
        // SAFETY: the mapping is ours, and no reference into it outlives self.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
    }
}
