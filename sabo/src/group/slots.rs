//! Who is here: a member holds a lock on the bytes of its slot, so the kernel knows who lives.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;

use rustix::fd::OwnedFd;

use super::Group;
use super::layout::{self, SLOT, SLOT_COUNT, SLOTS};
use super::lock::{self, Taken};
use crate::clock::{self, Nanos};
use crate::names::Xid;

/// What a slot's state word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum State {
    Here = 1,
    Finished = 2,
    Failed = 3,
}

/// What a member tells of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Card<'a> {
    pub(crate) xid: Xid,
    pub(crate) weight: u32,
    pub(crate) cap: u64,
    pub(crate) since: Nanos,
    pub(crate) name: &'a str,
}

/// What a slot says. Whoever may write the file wrote it, so it is for display only.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) slot: usize,
    pub(crate) here: bool,
    pub(crate) pid: u32,
    pub(crate) weight: u32,
    pub(crate) xid: String,
    pub(crate) cap: u64,
    pub(crate) bytes: u64,
    pub(crate) since: Nanos,
    pub(crate) waited: [u64; 2],
    pub(crate) name: String,
}

/// Who holds a slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    /// The slots of those who live, in order.
    pub(crate) live: Vec<usize>,
    /// How many ended without a word and were not counted since.
    pub(crate) dead: u64,
}

/// The bytes of slots, which are what is locked.
fn bytes_of(slots: Range<usize>) -> Range<i64> {
    let at = |index| i64::try_from(layout::slot(index)).unwrap_or(i64::MAX);
    at(slots.start)..at(slots.end)
}

/// The slots that other open files hold, in order.
///
/// # Errors
/// The kernel's.
pub(crate) fn locked(file: &OwnedFd) -> io::Result<Vec<usize>> {
    let mut found = Vec::new();
    // F_OFD_GETLK tells any one of the locks in a range, so what lies on both sides is asked for again.
    let mut open = vec![(0, SLOT_COUNT)];
    while let Some((start, end)) = open.pop() {
        if let Some(lock) = lock::holder(file, bytes_of(start..end))? {
            let held = covered(&lock, &(start..end));
            open.extend(
                [(start, held.start), (held.end, end)].into_iter().filter(|(start, end)| start < end),
            );
            found.extend(held);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The slots of `range` that a lock touches; never none, whatever it is.
fn covered(lock: &Range<i64>, range: &Range<usize>) -> Range<usize> {
    let index = |byte: i64, up: usize| {
        let byte = usize::try_from(byte).unwrap_or(0).saturating_sub(SLOTS);
        byte.saturating_add(up) / SLOT
    };
    let start = index(lock.start, 0).clamp(range.start, range.end - 1);
    start..index(lock.end, SLOT - 1).clamp(start + 1, range.end)
}

impl Group {
    /// Sees who is here, for who only looks.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn roll(&self) -> io::Result<Roll> {
        let here = |slot| (self.state(slot) == State::Here as u64).then(|| self.xid(slot));
        let before: Vec<_> = (0..SLOT_COUNT).map(here).collect();
        let live = locked(&self.file)?;
        // A member has the lock before it says that it is here, and until it says that it is not: whoever says
        // it before and after, and has none in between, is dead.
        let is_dead = |slot: &usize| live.binary_search(slot).is_err() && here(*slot) == before[*slot];
        let dead = (0..SLOT_COUNT).filter(|slot| before[*slot].is_some() && is_dead(slot)).count();
        Ok(Roll { live, dead: dead as u64 })
    }

    /// Takes the first free slot; none if all are taken.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn take_slot(&self, card: &Card<'_>) -> io::Result<Option<usize>> {
        let locked = locked(&self.file)?;
        for slot in (0..SLOT_COUNT).filter(|slot| locked.binary_search(slot).is_err()) {
            if lock::take(&self.file, bytes_of(slot..slot + 1))? == Taken::Ours {
                self.count_dead(slot);
                self.fill(slot, card);
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn fill(&self, slot: usize, card: &Card<'_>) {
        let (map, at) = (&self.map, layout::slot(slot));
        map.set(at + layout::PID, u64::from(std::process::id()) | u64::from(card.weight) << 32);
        map.set_bytes(at + layout::XID, 3, card.xid.as_bytes());
        map.set(at + layout::CAP, card.cap);
        map.set(at + layout::SLOT_BYTES, 0);
        map.signed(at + layout::SINCE).store(card.since, Ordering::Relaxed);
        layout::SLOT_WAITED.iter().for_each(|waited| map.set(at + waited, 0));
        map.set_bytes(at + layout::NAME, layout::NAME_LENGTH / 8, card.name.as_bytes());
        map.word(at + layout::STATE).store(State::Here as u64, Ordering::Release);
    }

    /// Counts the slots among `gone` whose members ended without a word.
    pub(crate) fn reap(&self, gone: impl Iterator<Item = usize>) {
        for slot in gone.filter(|slot| self.state(*slot) == State::Here as u64) {
            // With the lock nobody can move in meanwhile.
            if lock::take(&self.file, bytes_of(slot..slot + 1)).is_ok_and(|taken| taken == Taken::Ours) {
                self.count_dead(slot);
                lock::give_back(&self.file, bytes_of(slot..slot + 1));
            }
        }
    }

    /// The slot's lock is ours.
    fn count_dead(&self, slot: usize) {
        if self.leave(slot, State::Failed) {
            self.count_failure();
        }
    }

    /// A run failed; when exactly is not known of one that was killed.
    pub(crate) fn count_failure(&self) {
        self.map.add(layout::FAILED, 1);
        self.map.set(layout::FAILURE, clock::epoch());
    }

    /// Whether it was this call that ended the slot's run.
    pub(crate) fn leave(&self, slot: usize, state: State) -> bool {
        let word = self.map.word(layout::slot(slot) + layout::STATE);
        let here = State::Here as u64;
        word.compare_exchange(here, state as u64, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn give_slot_back(&self, slot: usize) {
        lock::give_back(&self.file, bytes_of(slot..slot + 1));
    }

    fn state(&self, slot: usize) -> u64 {
        self.map.word(layout::slot(slot) + layout::STATE).load(Ordering::Acquire)
    }

    pub(crate) fn was_used(&self, slot: usize) -> bool {
        self.state(slot) != 0
    }

    /// A member's cap; none if it has not said one.
    pub(crate) fn cap(&self, slot: usize) -> Option<u64> {
        let cap = self.map.get(layout::slot(slot) + layout::CAP);
        (cap > 0 && self.state(slot) == State::Here as u64).then_some(cap)
    }

    pub(crate) fn xid(&self, slot: usize) -> String {
        self.text(layout::slot(slot) + layout::XID, 3)
    }

    pub(crate) fn entry(&self, slot: usize) -> Entry {
        let (map, at) = (&self.map, layout::slot(slot));
        let pid = map.get(at + layout::PID);
        Entry {
            slot,
            here: self.state(slot) == State::Here as u64,
            pid: pid as u32,
            weight: (pid >> 32) as u32,
            xid: self.xid(slot),
            cap: map.get(at + layout::CAP),
            bytes: map.get(at + layout::SLOT_BYTES),
            since: map.signed(at + layout::SINCE).load(Ordering::Relaxed),
            waited: layout::SLOT_WAITED.map(|waited| map.get(at + waited)),
            name: self.text(at + layout::NAME, layout::NAME_LENGTH / 8),
        }
    }

    fn text(&self, at: usize, words: usize) -> String {
        let bytes = self.map.bytes(at, words);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

#[cfg(test)]
mod tests;
