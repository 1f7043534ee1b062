//! The sessions that may be resumed here, and how those ended that could.
//!
//! ```text
//!   a new session ── enter ──► Entry, in the session's task ── detach, attach ── bury ──► tombstone
//!   a resume ─────── find ───► the line to that task, or why there is none
//! ```
//!
//! Ids are secrets, so everything is under their hashes. Whose sessions are without a WebSocket is bounded;
//! who is told to end for that reason is told through [`Entry::told_to_end`].

mod detached;
mod owner;
mod pace;
mod tombstones;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tunnel::dialect2::NoResume;
use tunnel::session_id::SessionHash;

use detached::Detached;
pub(crate) use detached::{Caps, There};
pub(crate) use owner::Owner;
use pace::Pace;
pub(crate) use tombstones::End;
use tombstones::Tombstones;

/// The sessions. `L` is what leads to the task of one. Clones are the same.
pub(crate) struct Held<L>(Arc<Mutex<Table<L>>>);

struct Table<L> {
    sessions: HashMap<SessionHash, Row<L>>,
    detached: Detached,
    tombstones: Tombstones,
}

struct Row<L> {
    owner: Owner,
    destination: String,
    line: L,
    pace: Pace,
}

/// Why a session does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NotFound {
    /// It is not here, and has not been for as long as that is remembered.
    Unknown,
    /// It is over.
    Over(End),
    /// It is somebody else's, or leads elsewhere.
    Foreign,
    /// It was asked too often.
    TooOften,
    /// A later attempt was accepted.
    Stale,
}

impl From<NoResume> for NotFound {
    fn from(why: NoResume) -> Self {
        match why {
            NoResume::Stale => Self::Stale,
            NoResume::Gone => Self::Over(End::Gone),
            NoResume::Finished => Self::Over(End::Finished),
            NoResume::Reset => Self::Over(End::Reset),
        }
    }
}

/// What a session is entered with.
pub(crate) struct New<L> {
    /// Under which it is found.
    pub(crate) hash: SessionHash,
    /// Who alone may resume it.
    pub(crate) owner: Owner,
    /// The name of where it leads.
    pub(crate) destination: String,
    /// Leads to its task.
    pub(crate) line: L,
    /// How long its end is remembered.
    pub(crate) grace: Duration,
}

/// A session that is held until this is dropped.
pub(crate) struct Entry<L> {
    held: Held<L>,
    hash: SessionHash,
    user: String,
    destination: String,
    grace: Duration,
    end: CancellationToken,
    gone: CancellationToken,
    tombstone: Option<End>,
}

impl<L: Clone> Held<L> {
    pub(crate) fn new(caps: Caps) -> Self {
        let table = Table {
            sessions: HashMap::new(),
            detached: Detached::new(caps),
            tombstones: Tombstones::default(),
        };
        Self(Arc::new(Mutex::new(table)))
    }

    /// From now on the session is found.
    pub(crate) fn enter(&self, new: New<L>) -> Entry<L> {
        let New { hash, owner, destination, line, grace } = new;
        let entry = Entry {
            held: self.clone(),
            hash,
            user: owner.user.clone(),
            destination: destination.clone(),
            grace,
            end: CancellationToken::new(),
            gone: CancellationToken::new(),
            tombstone: None,
        };
        let row = Row { owner, destination, line, pace: Pace::default() };
        self.lock().sessions.insert(hash, row);
        entry
    }

    /// Leads `owner`, who comes back to `destination`, to the session.
    pub(crate) fn find(
        &self,
        hash: SessionHash,
        owner: &Owner,
        destination: &str,
        now: Instant,
    ) -> Result<L, NotFound> {
        let mut table = self.lock();
        let Some(row) = table.sessions.get_mut(&hash) else {
            return Err(table.tombstones.get(hash, now).map_or(NotFound::Unknown, NotFound::Over));
        };
        if row.owner != *owner || row.destination != destination {
            return Err(NotFound::Foreign);
        }
        if row.pace.admit(now) { Ok(row.line.clone()) } else { Err(NotFound::TooOften) }
    }

    /// How a session ended that was here.
    pub(crate) fn end_of(&self, hash: SessionHash, now: Instant) -> NotFound {
        NotFound::Over(self.lock().tombstones.get(hash, now).unwrap_or(End::Gone))
    }

    /// Whether it is here, or was not long ago.
    pub(crate) fn knows(&self, hash: SessionHash, now: Instant) -> bool {
        let table = self.lock();
        table.sessions.contains_key(&hash) || table.tombstones.get(hash, now).is_some()
    }

    /// Tells the session of `user` to end that has been without a WebSocket for longest, if there is one. What
    /// is returned is cancelled when it has given its places back.
    pub(crate) fn end_longest_detached(&self, user: &str, there: There<'_>) -> Option<CancellationToken> {
        self.lock().detached.end_longest(user, there)
    }
}

impl<L> Held<L> {
    /// Never held across an await.
    fn lock(&self) -> MutexGuard<'_, Table<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Clone for Held<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// How many there are.
impl<L> fmt::Debug for Held<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.lock().sessions.len())
    }
}

impl<L> Entry<L> {
    /// The session is without a WebSocket, and holds so many bytes. False if there is no room for that: it is
    /// to end. Others of the same user may be told to end to make room.
    pub(crate) fn detach(&self, bytes: usize) -> bool {
        let (end, gone) = (self.end.clone(), self.gone.clone());
        let one = detached::One {
            hash: self.hash,
            user: self.user.clone(),
            destination: self.destination.clone(),
            bytes,
            end,
            gone,
        };
        self.held.lock().detached.enter(one)
    }

    /// The session has a WebSocket again.
    pub(crate) fn attach(&self) {
        self.held.lock().detached.leave(self.hash);
    }

    /// Cancelled when the session is to make room for others.
    pub(crate) fn told_to_end(&self) -> &CancellationToken {
        &self.end
    }

    /// The session is over, and that is remembered. What is returned is to be cancelled when its places are
    /// given back.
    pub(crate) fn bury(mut self, end: End) -> CancellationToken {
        self.tombstone = Some(end);
        self.gone.clone()
    }
}

impl<L> Drop for Entry<L> {
    fn drop(&mut self) {
        let mut table = self.held.lock();
        table.detached.leave(self.hash);
        let row = table.sessions.remove(&self.hash);
        if let Some(end) = self.tombstone {
            table.tombstones.set(self.hash, end, self.grace, Instant::now());
        }
        drop(table);
        drop(row); // not under the lock: the line may have the last word of a session in it
    }
}

#[cfg(test)]
mod tests;
