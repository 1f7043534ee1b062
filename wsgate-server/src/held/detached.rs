//! The sessions without a WebSocket: how many there are, what they hold, and who has to go.

use std::collections::{BTreeMap, HashMap};

use tokio_util::sync::CancellationToken;
use tunnel::session_id::SessionHash;

/// What sessions without a WebSocket may be, all together. One user may have a quarter of it; callers without
/// a name are nobody in particular and have no share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// How many.
    pub(crate) sessions: usize,
    /// What they hold, in bytes.
    pub(crate) bytes: usize,
}

/// Where a user's session is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum There<'a> {
    /// Wherever it leads.
    Anywhere,
    /// Only at this destination.
    At(&'a str),
}

/// One that is without a WebSocket.
pub(super) struct One {
    pub(super) hash: SessionHash,
    pub(super) user: String,
    pub(super) destination: String,
    /// What it holds.
    pub(super) bytes: usize,
    /// Tells it to end.
    pub(super) end: CancellationToken,
    /// Tells that it has.
    pub(super) gone: CancellationToken,
}

/// In the order in which they lost their WebSockets. Who has been told to end is not in it any more.
pub(super) struct Detached {
    caps: Caps,
    next: u64,
    by_age: BTreeMap<u64, One>,
    ages: HashMap<SessionHash, u64>,
    bytes: usize,
}

impl Detached {
    pub(super) fn new(caps: Caps) -> Self {
        Self { caps, next: 0, by_age: BTreeMap::new(), ages: HashMap::new(), bytes: 0 }
    }

    /// Takes one in; may tell older ones of the same user to end. False if there is no room all the same,
    /// and then nobody is told.
    pub(super) fn enter(&mut self, one: One) -> bool {
        self.leave(one.hash);
        if !self.fits_without_own(&one) {
            return false;
        }
        while !self.fits(&one) {
            if self.end_longest(&one.user, There::Anywhere).is_none() {
                return false;
            }
        }
        self.bytes += one.bytes;
        self.ages.insert(one.hash, self.next);
        self.by_age.insert(self.next, one);
        self.next += 1;
        true
    }

    pub(super) fn leave(&mut self, hash: SessionHash) {
        if let Some(age) = self.ages.get(&hash) {
            self.remove(*age);
        }
    }

    /// Tells the user's longest one there to end.
    pub(super) fn end_longest(&mut self, user: &str, there: There<'_>) -> Option<CancellationToken> {
        let leads_there = |one: &One| match there {
            There::Anywhere => true,
            There::At(destination) => one.destination == destination,
        };
        let age = *self.of(user).find(|(_, one)| leads_there(one))?.0;
        let one = self.remove(age)?;
        one.end.cancel();
        Some(one.gone)
    }

    fn remove(&mut self, age: u64) -> Option<One> {
        let one = self.by_age.remove(&age)?;
        self.ages.remove(&one.hash);
        self.bytes -= one.bytes;
        Some(one)
    }

    /// A user's, the longest first; nobody's are nobody's.
    fn of(&self, user: &str) -> impl Iterator<Item = (&u64, &One)> {
        self.by_age.iter().filter(move |(_, one)| !user.is_empty() && one.user == user)
    }

    fn own(&self, user: &str) -> (usize, usize) {
        self.of(user).fold((0, 0), |(count, bytes), (_, one)| (count + 1, bytes + one.bytes))
    }

    fn fits(&self, one: &One) -> bool {
        let (count, bytes) = self.own(&one.user);
        let (most, most_bytes) = self.share(&one.user);
        self.by_age.len() < self.caps.sessions
            && self.bytes + one.bytes <= self.caps.bytes
            && count < most
            && bytes + one.bytes <= most_bytes
    }

    /// Whether it would fit if the user had no other.
    fn fits_without_own(&self, one: &One) -> bool {
        let (count, bytes) = self.own(&one.user);
        let (most, most_bytes) = self.share(&one.user);
        self.by_age.len() - count < self.caps.sessions
            && self.bytes - bytes + one.bytes <= self.caps.bytes
            && one.bytes <= most_bytes
            && most > 0
    }

    fn share(&self, user: &str) -> (usize, usize) {
        let Caps { sessions, bytes } = self.caps;
        if user.is_empty() { (sessions, bytes) } else { (sessions.div_ceil(4), bytes / 4) }
    }
}
