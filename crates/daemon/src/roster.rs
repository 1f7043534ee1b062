//! What is open now, one by one, for whoever asks: connections, tunnels.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that is open now, in the order in which it was opened. Clones are the same roster.
///
/// Entering and leaving take a lock for as long as a look-up takes; what is carried in between takes none.
pub struct Roster<T>(Arc<Mutex<Open<T>>>);

struct Open<T> {
    next: u64,
    by_number: BTreeMap<u64, Arc<T>>,
}

/// One that is open until this is dropped.
pub struct Entry<T> {
    roster: Roster<T>,
    number: u64,
}

impl<T> Roster<T> {
    /// From now on `one` is open.
    pub fn enter(&self, one: Arc<T>) -> Entry<T> {
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, one);
        Entry { roster: self.clone(), number }
    }

    /// Those that have been open longest, at most `most`; the first is the oldest.
    pub fn oldest(&self, most: usize) -> Vec<Arc<T>> {
        self.lock().by_number.values().take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        let left = self.roster.lock().by_number.remove(&self.number);
        drop(left); // not under the lock: it may be large
    }
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Open { next: 0, by_number: BTreeMap::new() })))
    }
}

impl<T> Clone for Roster<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// How many there are.
impl<T> fmt::Debug for Roster<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roster({})", self.lock().by_number.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_come_first_and_who_leaves_is_gone() {
        let roster = Roster::default();
        let mut entries: Vec<_> = (0..5).map(|number| roster.enter(Arc::new(number))).collect();
        let first = |most| roster.oldest(most).iter().map(|one| **one).collect::<Vec<i32>>();
        assert_eq!((first(2), first(9)), (vec![0, 1], vec![0, 1, 2, 3, 4]));
        drop(entries.remove(1));
        drop(entries.remove(0));
        entries.push(roster.enter(Arc::new(5)));
        assert_eq!(first(3), [2, 3, 4]);
        drop(entries);
        assert_eq!(format!("{roster:?}"), "Roster(0)");
    }
}
