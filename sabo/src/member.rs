//! This process among the others: which rate holds, and when the next bytes may move.

mod attend;
mod identity;
mod seat;
mod spent;
mod weight;

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Result;

use crate::Bandwidth;
use crate::bucket::{self, Beyond};
use crate::clock::{Clock, Nanos, SECOND};
use crate::ctl::changed;
use crate::group::Key;
use crate::group::layout::{self, Layout};
use crate::group::slots::{Card, State};
use crate::lock_file::LockFile;
use crate::names::Xid;
use crate::say::{self, Said};
use crate::schedule::Schedule;
use crate::share::Share;
use crate::signals::{self, Words};
use crate::tally::Waits;
use crate::work_dir::WorkDir;
pub use identity::Identity;
use seat::{Joined, Seat};
use spent::Spent;
pub use weight::{Label, Weight};

#[derive(Debug)]
pub(crate) struct Member {
    dir: WorkDir,
    identity: Identity,
    key: Key,
    xid: Xid,
    clock: Clock,
    since: Nanos,
    /// What we allow now: the limit, or what the schedule says.
    cap: u64,
    place: Place,
    lock_file: Option<LockFile>,
    seen: Seen,
    share: Share,
    /// The lowest rate that held so far: reservations at it may be pending.
    slowest: u64,
    tick_at: Nanos,
    /// What the group's cells were not told yet.
    spent: Spent,
    said: Said,
}

/// Where our rate comes from.
#[derive(Debug)]
enum Place {
    Group(Seat),
    /// The group cannot be reached: a bucket of our own, at our part of the limit.
    Alone {
        tat: AtomicI64,
        members: u64,
    },
}

/// What we saw when we looked who is here.
#[derive(Debug)]
struct Seen {
    members: usize,
    /// The smallest cap of all.
    cap: u64,
    /// Whether our slot is the lowest.
    lowest: bool,
    joined: u64,
    at: Nanos,
}

/// What is shown of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Bytes a second that the members share now.
    pub(crate) rate: u64,
    /// How many members there are, with us.
    pub(crate) members: usize,
    pub(crate) paused: bool,
}

impl Member {
    /// Joins the group of our limit, which is made if it is missing.
    ///
    /// # Errors
    /// What is wrong with the directory or the file.
    pub(crate) fn join(dir: WorkDir, identity: Identity, clock: Clock) -> Result<Self> {
        let limit = identity.limit.bytes();
        let key = identity.key();
        let now = clock.now();
        let mut member = Self {
            cap: identity.cap(),
            seen: Seen { members: 1, cap: limit, lowest: true, joined: 0, at: now },
            place: Place::Alone { tat: AtomicI64::new(now), members: 1 },
            share: Share::new(),
            slowest: limit,
            tick_at: now + SECOND,
            spent: Spent::since(now),
            said: Said::default(),
            xid: Xid::new(),
            lock_file: None,
            since: now,
            dir,
            identity,
            key,
            clock,
        };
        member.warn_of_place();
        member.take_place()?;
        if let Place::Group(seat) = &member.place
            && let Some(text) = changed(member.key, &seat.group)
        {
            say::line(&text);
        }
        member.take_census();
        Ok(member)
    }

    fn warn_of_place(&mut self) {
        if let Some(network) = self.dir.network() {
            let path = self.dir.path.display();
            self.said.once(format!(
                "{path} is on {network}: processes of other hosts are not seen, the limit is for this host only"
            ));
        }
        let largest = self.identity.schedule.as_ref().map(Schedule::largest);
        if let Some(largest) = largest.filter(|largest| *largest > self.identity.limit) {
            let limit = self.identity.limit;
            self.said.once(format!(
                "--schedule says {largest}, but never more than --max-bandwidth {limit} passes"
            ));
        }
    }

    /// The slot first and then the lock file: see [`crate::census::Census::take`].
    fn take_place(&mut self) -> Result<()> {
        let card = Card {
            xid: self.xid,
            weight: self.identity.weight.milli(),
            cap: self.cap,
            since: self.since,
            name: self.identity.label.as_str(),
        };
        match Seat::take(&self.dir, self.key, Layout::V1, &card, self.clock)? {
            Joined::Group(seat) => self.settle(Place::Group(seat)),
            Joined::Unmapped { members, why } => self.go_alone(members as u64, &why),
        }
        let limit = self.identity.limit.bytes();
        let gone = |lock: &LockFile| !matches!(self.dir.stat(&lock.name), Ok(Some(_)));
        if self.lock_file.as_ref().is_none_or(gone) {
            let lock_file = LockFile::make(&self.dir, limit, &self.xid)?;
            signals::set_lock_file(Some((&self.dir, &lock_file.name)));
            self.lock_file = Some(lock_file);
        }
        self.look();
        Ok(())
    }

    fn settle(&mut self, place: Place) {
        signals::set_slot(None);
        self.place = place;
        if let Place::Group(Seat { group, slot: Some(slot), .. }) = &self.place {
            let word = |at| group.map.word(at);
            signals::set_slot(Some(Words {
                state: word(layout::slot(*slot) + layout::STATE),
                failed: word(layout::FAILED),
                failure: word(layout::FAILURE),
                joined: word(layout::JOINED),
            }));
        }
    }

    fn go_alone(&mut self, members: u64, why: &str) {
        let tat = AtomicI64::new(self.clock.now());
        self.settle(Place::Alone { tat, members: members.max(1) });
        let rate = self.standing().rate;
        let rate = Bandwidth::new(rate).unwrap_or(self.identity.limit);
        self.said.once(format!("{why}; this process goes on alone at {rate}, its part of the limit"));
    }

    /// What holds now.
    pub(crate) fn standing(&self) -> Standing {
        let own = self.cap.min(self.seen.cap);
        let now = self.clock.now();
        match &self.place {
            Place::Group(seat) => Standing {
                rate: self.share.of(own.min(seat.group.limit()), now),
                members: self.seen.members,
                paused: seat.group.is_paused(),
            },
            Place::Alone { members, .. } => {
                let rate = (self.share.of(own, now) / members).max(1);
                Standing { rate, members: 1, paused: false }
            }
        }
    }

    /// How much may be reserved at once now.
    pub(crate) fn quantum(&self) -> u64 {
        bucket::quantum(self.standing().rate, self.identity.weight.milli())
    }

    pub(crate) fn is_paused(&self) -> bool {
        matches!(&self.place, Place::Group(seat) if seat.group.is_paused())
    }

    fn tat(&self) -> &AtomicI64 {
        match &self.place {
            Place::Group(seat) => seat.group.tat(),
            Place::Alone { tat, .. } => tat,
        }
    }

    /// How long what is reserved already needs to pass; 0 if a reservation would begin now.
    pub(crate) fn queue(&self) -> Nanos {
        let ahead = self.tat().load(Ordering::Relaxed).saturating_sub(self.clock.now());
        ahead.clamp(0, bucket::horizon(self.seen.members, self.slowest))
    }

    /// Reserves `bytes`, at most a quantum; when they may move.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Nanos {
        loop {
            let rate = self.standing().rate;
            self.slowest = self.slowest.min(rate);
            if let Ok(at) = self.try_reserve(bytes, rate) {
                return at;
            }
            // Perhaps there are more members than at the last look.
            self.look();
            match self.try_reserve(bytes, rate) {
                Ok(at) => return at,
                Err(beyond) => self.reset(beyond),
            }
        }
    }

    fn try_reserve(&self, bytes: u64, rate: u64) -> Result<Nanos, Beyond> {
        let horizon = bucket::horizon(self.seen.members, self.slowest);
        bucket::reserve(self.tat(), || self.clock.now(), bucket::cost(bytes, rate), horizon)
    }

    fn reset(&mut self, beyond: Beyond) {
        if bucket::replace(self.tat(), beyond, self.clock.now()) {
            if let Place::Group(seat) = &self.place {
                seat.group.map.add(layout::RESETS, 1);
            }
            let path = self.dir.path.join(self.key.file());
            self.said.once(format!("{}: the time in it cannot be right and was set anew", path.display()));
        }
    }

    /// Counts what was moved and waited for since the last call.
    pub(crate) fn count(&mut self, bytes: u64, waits: Waits) {
        if let Place::Group(seat) = &self.place {
            seat.count(bytes, waits);
        }
        self.spent.wait(waits);
    }

    /// Ends well: to be called when the last byte is where it should be.
    pub(crate) fn finish(mut self) {
        self.leave(State::Finished);
    }

    fn leave(&mut self, state: State) {
        if let Some(lock_file) = self.lock_file.take() {
            // Whoever comes next removes it.
            let _ = self.dir.remove(&lock_file.name);
        }
        signals::set_lock_file(None);
        self.tell_time();
        if let Place::Group(seat) = &self.place {
            seat.leave(state);
            self.settle(Place::Alone { tat: AtomicI64::new(0), members: 1 });
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave(State::Failed);
    }
}

#[cfg(test)]
mod tests;
