//! How fetches went.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many fetches went well, and how many did not; for metrics. It outlives the caches that count in it, so
/// that it never decreases.
#[derive(Debug, Default)]
pub struct FetchCounts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl FetchCounts {
    /// Fetches of a set that can be used, whether or not its keys were new.
    pub fn succeeded(&self) -> u64 {
        self.succeeded.load(Relaxed)
    }

    /// Fetches without an answer, or with one that is no JWK set.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    pub(super) fn count(&self, success: bool) {
        let counter = if success { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Relaxed);
    }
}
