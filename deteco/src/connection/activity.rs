//! Where a connection stands: written by the service and the stream, read by the task that holds both.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Patience;

/// No head is being answered.
const WAITING: u8 = 0;
/// A head is being answered, and nobody has looked what comes after it.
const ANSWERING: u8 = 1;
/// A head is being answered, and nothing comes after it.
const LAST: u8 = 2;
/// A head is being answered, and more has come after it.
const MORE: u8 = 3;

/// The state of one connection. All in one task: atomics only since tasks move among threads.
#[derive(Debug)]
pub(super) struct Activity {
    accepted: Instant,
    phase: AtomicU8,
    retiring: AtomicBool,
    /// When the last head was complete, in nanoseconds after `accepted`
    asked: AtomicU64,
    /// When the last bytes came, in the same unit
    heard: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            phase: AtomicU8::new(WAITING),
            retiring: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        }
    }

    /// A head is complete.
    pub(super) fn asks(&self, now: Instant) {
        self.phase.store(ANSWERING, Relaxed);
        self.asked.store(self.since(now), Relaxed);
    }

    /// Bytes have come.
    pub(super) fn hears(&self) {
        self.heard.store(self.since(Instant::now()), Relaxed);
        if self.is_answering() {
            self.phase.store(MORE, Relaxed);
        }
    }

    /// Nothing has come, though it was looked for.
    pub(super) fn hears_nothing(&self) {
        if self.phase.load(Relaxed) == ANSWERING {
            self.phase.store(LAST, Relaxed);
        }
    }

    /// All answers are written. Whether there was one.
    pub(super) fn has_answered(&self) -> bool {
        let answered = self.is_answering();
        self.phase.store(WAITING, Relaxed);
        answered
    }

    pub(super) fn is_answering(&self) -> bool {
        self.phase.load(Relaxed) != WAITING
    }

    /// Whether the request that is being answered shall be the last one: nothing was sent after it, so that
    /// nothing is lost.
    pub(super) fn is_last(&self) -> bool {
        self.is_retiring() && self.phase.load(Relaxed) == LAST
    }

    /// From now on the connection ends as soon as nothing is lost by it.
    pub(super) fn retire(&self) {
        self.retiring.store(true, Relaxed);
    }

    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.load(Relaxed)
    }

    /// When the last bytes came; before, when it was accepted.
    pub(super) fn heard(&self) -> Instant {
        self.after(&self.heard)
    }

    /// When the connection shall be closed, unless another head is complete until then; one that retires, unless
    /// something of it has come.
    pub(super) fn due(&self, patience: Patience) -> Instant {
        let due = self.after(&self.asked) + patience.head;
        if self.is_retiring() { due.min(self.heard() + patience.quiet) } else { due }
    }

    fn after(&self, nanoseconds: &AtomicU64) -> Instant {
        self.accepted + Duration::from_nanos(nanoseconds.load(Relaxed))
    }

    fn since(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.accepted).as_nanos()).unwrap_or(u64::MAX)
    }
}
