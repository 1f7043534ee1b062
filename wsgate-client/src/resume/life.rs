//! What others see of a session while it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use monitor::{Counter, Gauge, Held};

/// The counts of all sessions.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    /// Sessions without a WebSocket now.
    pub(crate) detached: Gauge,
    /// WebSockets that took the place of another.
    pub(crate) resumed: Counter,
    /// Of those, the ones that were there before the other was gone.
    pub(crate) handed_over: Counter,
}

/// One session's; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    all: Lives,
    own: Arc<Own>,
}

#[derive(Debug, Default)]
struct Own {
    resumes: AtomicU32,
    is_detached: AtomicBool,
}

impl Life {
    pub(crate) fn new(all: Lives) -> Self {
        Self { all, own: Arc::default() }
    }

    /// How often it went on over another WebSocket.
    pub(crate) fn resumes(&self) -> u32 {
        self.own.resumes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.own.is_detached.load(Ordering::Relaxed)
    }

    pub(super) fn detach(&self) -> Detached {
        self.own.is_detached.store(true, Ordering::Relaxed);
        Detached { life: self.clone(), _counted: self.all.detached.hold() }
    }

    pub(super) fn count_resume(&self, ahead: bool) {
        self.own.resumes.fetch_add(1, Ordering::Relaxed);
        self.all.resumed.inc();
        if ahead {
            self.all.handed_over.inc();
        }
    }
}

/// A session is detached until this is dropped.
#[derive(Debug)]
pub(super) struct Detached {
    life: Life,
    _counted: Held,
}

impl Drop for Detached {
    fn drop(&mut self) {
        self.life.own.is_detached.store(false, Ordering::Relaxed);
    }
}
