//! How reloads went.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// How many reloads of a [`Watch`](super::Watch) went well, and how many did not.
#[derive(Debug, Default)]
pub struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    stale: AtomicBool,
}

impl Counts {
    /// Reloads after which the files' new content was in force.
    pub fn succeeded(&self) -> u64 {
        self.succeeded.load(Relaxed)
    }

    /// Reloads that changed nothing, because of an error.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Whether the last reload failed, so that what is in force is older than what the files say.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }

    pub(super) fn count(&self, success: bool) {
        let counter = if success { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Relaxed);
        self.stale.store(!success, Relaxed);
    }
}
