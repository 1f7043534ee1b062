//! What a member's time went to. Its group is told once a second and not at every chunk, since all members write
//! the same words.

use crate::clock::{self, Nanos};
use crate::group::Group;
use crate::tally::Waits;

/// The time that the group does not know of yet.
#[derive(Debug)]
pub(super) struct Spent {
    since: Nanos,
    waits: Waits,
}

impl Spent {
    pub(super) fn since(now: Nanos) -> Self {
        Self { since: now, waits: Waits::default() }
    }

    pub(super) fn wait(&mut self, waits: Waits) {
        self.waits.add(waits);
    }

    /// Adds it to the cells of this second; without a group it is forgotten.
    pub(super) fn tell(&mut self, group: Option<&Group>, now: Nanos) {
        let Self { since, waits } = std::mem::replace(self, Self::since(now));
        if let Some(group) = group {
            group.spend_in_cells(clock::epoch(), now - since, waits);
        }
    }
}
