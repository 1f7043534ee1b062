//! How many tunnels one user and one destination have, and how many they may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose tunnels are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    User(String),
    Destination(String),
    /// A user at a destination.
    Both {
        user: String,
        destination: String,
    },
}

/// A count and its bound; `None`: counted, in case a reload brings a bound, and never refused.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) of: Of,
    pub(crate) limit: Option<usize>,
}

/// The tunnels that are dialling or open. There is an entry for who has one, so there are not more entries
/// than three times the tunnels. Clones are the same tally.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<HashMap<Of, usize>>>);

/// A tunnel that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    tally: Tally,
    counted: Vec<Of>,
}

impl Tally {
    /// Counts a tunnel in all of `bounds`, or in none.
    ///
    /// # Errors
    /// The first of them that is full.
    pub(crate) fn admit(&self, bounds: Vec<Bound>) -> Result<Permit, Of> {
        let mut counts = self.lock();
        let full =
            |bound: &Bound| bound.limit.is_some_and(|most| counts.get(&bound.of).is_some_and(|n| *n >= most));
        if let Some(full) = bounds.iter().find(|bound| full(bound)) {
            return Err(full.of.clone());
        }
        let counted: Vec<Of> = bounds.into_iter().map(|bound| bound.of).collect();
        for of in &counted {
            *counts.entry(of.clone()).or_default() += 1;
        }
        drop(counts);
        Ok(Permit { tally: self.clone(), counted })
    }

    /// How many tunnels each of these has.
    pub(crate) fn counts(&self, of: impl Iterator<Item = Of>) -> Vec<usize> {
        let counts = self.lock();
        of.map(|of| counts.get(&of).copied().unwrap_or_default()).collect()
    }

    /// Never held across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<Of, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.tally.lock();
        for of in &self.counted {
            if let Some(count) = counts.get_mut(of) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(of);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, limit: Option<usize>) -> Bound {
        Bound { of: Of::User(name.to_owned()), limit }
    }

    fn destination(limit: Option<usize>) -> Bound {
        Bound { of: Of::Destination("mysql".to_owned()), limit }
    }

    #[test]
    fn each_is_bounded_by_its_own_limit() {
        let tally = Tally::default();
        let mut open = vec![];
        for (bounds, full) in [
            (vec![user("alice", Some(2)), destination(Some(3))], None),
            (vec![user("alice", Some(2)), destination(Some(3))], None),
            (vec![user("alice", Some(2)), destination(Some(3))], Some(Of::User("alice".into()))),
            (vec![user("bob", Some(2)), destination(Some(3))], None),
            (vec![user("bob", Some(2)), destination(Some(3))], Some(Of::Destination("mysql".into()))),
            (vec![destination(Some(2))], Some(Of::Destination("mysql".into()))), // lowered meanwhile
            (vec![destination(None)], None),
            (vec![], None),
        ] {
            match tally.admit(bounds.clone()) {
                Ok(permit) => {
                    assert_eq!(full, None, "{bounds:?}");
                    open.push(permit);
                }
                Err(of) => assert_eq!(Some(of), full, "{bounds:?}"),
            }
        }
    }

    #[test]
    fn who_has_no_tunnel_has_no_entry() {
        let tally = Tally::default();
        let first = tally.admit(vec![user("alice", Some(2)), destination(None)]).unwrap();
        let second = tally.admit(vec![user("alice", Some(2)), destination(Some(9))]).unwrap();
        assert!(tally.admit(vec![destination(None), user("alice", Some(2))]).is_err());
        assert_eq!(tally.lock().len(), 2);
        drop(first);
        assert_eq!(tally.lock().get(&Of::User("alice".into())), Some(&1), "a refused one is not counted");
        drop(second);
        assert!(tally.lock().is_empty());
    }
}
