//! The memory that all sessions of a process may hold between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What every buffer is granted, in bytes, however little of the budget is left.
pub(super) const ALWAYS: usize = 64 * 1024;

/// What the buffers of all sessions may hold together, in bytes. What is always granted (64 KiB a
/// buffer) counts too, but is not refused.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes (`--buffer-limit`).
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// How many bytes are held or promised now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn left(&self) -> usize {
        self.limit.saturating_sub(self.used())
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    pub(super) fn none(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// Of which budget it is.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Makes the charge `bytes`, whatever is left.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Makes the charge `bytes` if that is always granted or so much is left.
    pub(super) fn try_raise(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= self.budget.limit);
        let raised = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if raised {
            self.bytes += more;
        }
        raised
    }

    /// Up to how many bytes it could be raised now.
    pub(super) fn most(&self) -> usize {
        (self.bytes + self.budget.left()).max(ALWAYS)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_shared_and_given_back() {
        let budget = Budget::new(100_000);
        let (mut a, mut b) = (Charge::none(&budget), Charge::none(&budget));
        assert!(a.try_raise(60_000));
        assert!(!b.try_raise(60_000));
        assert_eq!((a.most(), b.most(), budget.used()), (100_000, ALWAYS, 60_000));
        b.set(ALWAYS);
        assert_eq!(budget.used(), 60_000 + ALWAYS, "always granted, and counted");
        assert!(!a.try_raise(60_001));
        a.set(0);
        assert!(b.try_raise(100_000));
        drop(b);
        assert_eq!(budget.used(), 0);
    }
}
