//! A value that is replaced while others use it.

use std::sync::{Arc, PoisonError, RwLock};

/// The current one of a value's versions. Whoever has loaded one keeps it, while others load the next; so a
/// decision is made on one version from its beginning to its end. Clones are the same snapshot.
#[derive(Debug)]
pub struct Snapshot<T>(Arc<RwLock<Arc<T>>>);

impl<T> Snapshot<T> {
    /// The first version.
    pub fn new(value: T) -> Self {
        Snapshot(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The version of now. Cheap: a lock that is held for the counting of a reference.
    pub fn load(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next version. The one before is dropped when nobody uses it any more.
    pub fn store(&self, value: T) {
        let next = Arc::new(value);
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), next);
        drop(before); // not under the lock: it may be large
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Snapshot(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_version_stays_what_it_was() {
        let snapshot = Snapshot::new(1);
        let (same, first) = (snapshot.clone(), snapshot.load());
        same.store(2);
        assert_eq!((*first, *snapshot.load()), (1, 2));
        assert_eq!(Arc::strong_count(&first), 1, "nobody else holds it");
    }
}
