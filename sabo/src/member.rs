//! This process among the others: which rate holds, and when the next bytes may move.

mod seat;
mod weight;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};

use crate::Bandwidth;
use crate::bucket::{self, Beyond};
use crate::census::Census;
use crate::clock::{Clock, Nanos, SECOND};
use crate::group::layout::{self, Layout};
use crate::group::slots::{Card, State};
use crate::group::{Group, Key};
use crate::lock_file::LockFile;
use crate::names::Xid;
use crate::say::{self, Said};
use crate::schedule::Schedule;
use crate::share::Share;
use crate::tally::Waits;
use crate::work_dir::WorkDir;
use crate::{local_time, signals};
use seat::{Joined, Seat};
pub use weight::{Label, Weight};

/// Others than the lowest member count when nobody did for so long: it may be blocked in a write.
const COUNT_FOR_IT: Nanos = 2 * SECOND;

/// Looking who is here costs a system call a member, and a storm of starters changes it all the time.
const LOOK_AGAIN: Nanos = SECOND / 50;

/// What a process brings along.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where the others are.
    pub work_dir: PathBuf,
    /// Make the directory.
    pub create: bool,
    /// What all with this limit share.
    pub limit: Bandwidth,
    /// Share with all limits of the directory.
    pub one_budget: bool,
    /// Lower limits by the time of day.
    pub schedule: Option<Schedule>,
    /// The share against others.
    pub weight: Weight,
    /// What it is called.
    pub label: Label,
}

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
        let key = if identity.one_budget { Key::One } else { Key::Limit(limit) };
        let now = clock.now();
        let mut member = Self {
            cap: cap(&identity),
            seen: Seen { members: 1, cap: limit, lowest: true, joined: 0, at: now },
            place: Place::Alone { tat: AtomicI64::new(now), members: 1 },
            share: Share::new(),
            slowest: limit,
            tick_at: now + SECOND,
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

    /// The slot first and then the lock file: see [`Census::take`].
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
            let state = group.map.word(layout::slot(*slot) + layout::STATE);
            signals::set_slot(Some((state, group.map.word(layout::FAILED))));
        }
    }

    fn go_alone(&mut self, members: u64, why: &str) {
        let tat = AtomicI64::new(self.clock.now());
        self.settle(Place::Alone { tat, members: members.max(1) });
        let rate = self.standing().rate;
        let rate = Bandwidth::new(rate).unwrap_or(self.identity.limit);
        self.said.once(format!("{why}; this process goes on alone at {rate}, its part of the limit"));
    }

    /// What has to be done now and then: called before every chunk and while waiting.
    pub(crate) fn attend(&mut self) {
        let now = self.clock.now();
        self.notice_loss();
        if let Place::Group(seat) = &self.place {
            let joined = seat.group.map.get(layout::JOINED);
            if joined != self.seen.joined && now >= self.seen.at + LOOK_AGAIN {
                self.look();
            }
        }
        if now >= self.tick_at {
            self.tick_at = now + SECOND;
            self.tick();
        }
    }

    /// When [`Member::attend`] has something to do.
    pub(crate) fn attend_at(&self) -> Nanos {
        self.tick_at
    }

    fn notice_loss(&mut self) {
        if matches!(&self.place, Place::Group(seat) if seat.group.map.is_lost()) {
            let members = self.seen.members as u64;
            self.go_alone(members, "the group file was truncated, or its disk is full or broken");
        }
    }

    fn tick(&mut self) {
        let rejoin = match &self.place {
            Place::Group(seat) => self.dir.inode(&self.key.file()).ok().flatten() != Some(seat.inode),
            Place::Alone { .. } => true,
        };
        if rejoin {
            self.rejoin();
        }
        let cap = cap(&self.identity);
        if cap != self.cap {
            self.cap = cap;
            if let Place::Group(seat) = &self.place {
                seat.set_cap(cap);
            }
        }
        self.look();
        self.count_others();
    }

    /// The old file is of no use any more, whether or not this succeeds.
    fn rejoin(&mut self) {
        let members = self.seen.members as u64;
        if let Err(error) = self.take_place()
            && matches!(self.place, Place::Group(_))
        {
            self.go_alone(members, &format!("the group is gone ({error:#})"));
        }
    }

    /// Sees who is here.
    fn look(&mut self) {
        let at = self.clock.now();
        let Place::Group(seat) = &self.place else { return };
        let (seen, originals) = seat.look(self.cap, at);
        if seat.group.map.is_lost() {
            // The others may have left already; what counts is who was here before.
            return self.notice_loss();
        }
        self.seen = seen;
        self.share.count(at, self.seen.members, originals);
    }

    /// Once a second the lowest member counts originals for all.
    fn count_others(&mut self) {
        let now = self.clock.now();
        let Place::Group(seat) = &self.place else { return };
        let before = seat.group.map.signed(layout::COUNTED).load(Ordering::Relaxed);
        let overdue = !(now - COUNT_FOR_IT..=now).contains(&before);
        if self.seen.lowest || overdue {
            self.take_census();
        }
    }

    fn take_census(&mut self) {
        let now = self.clock.now();
        let Place::Group(seat) = &self.place else { return };
        let Ok(census) = Census::take(&self.dir, self.key, &seat.group, &mut self.said) else { return };
        seat.group.map.signed(layout::COUNTED).store(now, Ordering::Relaxed);
        seat.group.map.set(layout::ORIGINALS, census.originals);
        self.share.count(now, self.seen.members, census.originals);
        self.warn_of(&census);
    }

    fn warn_of(&mut self, census: &Census) {
        let path = self.dir.path.display();
        for other in &census.others {
            self.said.once(match other {
                Key::One => {
                    format!("{path}: others share --one-budget; give it here too, or the limits add up")
                }
                Key::Limit(_) => {
                    format!(
                        "{path}: a group with limit {other} is active too; two groups add up (--one-budget)"
                    )
                }
            });
        }
        if self.key == Key::One && census.originals > 0 {
            self.said
                .once(format!("{path}: some process does not say --one-budget; all must, or limits add up"));
        }
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

fn cap(identity: &Identity) -> u64 {
    let scheduled = identity.schedule.as_ref().map(|schedule| schedule.at(local_time::minute_of_day()));
    scheduled.map_or(identity.limit, |rate| rate.min(identity.limit)).bytes()
}

/// What `sabo ctl` made of the group, if anything.
pub(crate) fn changed(key: Key, group: &Group) -> Option<String> {
    if group.is_paused() {
        return Some(format!("group {key} is paused (sabo ctl)"));
    }
    let usual = match key {
        Key::Limit(limit) => limit,
        Key::One => layout::NO_LIMIT,
    };
    let limit = Some(group.limit()).filter(|limit| *limit < usual).and_then(Bandwidth::new)?;
    Some(format!("group {key} runs at {limit} (sabo ctl)"))
}

/// Opens the directory of `identity`.
///
/// # Errors
/// If there is none.
pub(crate) fn open_dir(identity: &Identity) -> Result<WorkDir> {
    WorkDir::open(&identity.work_dir, identity.create).context("cannot use the work directory")
}

#[cfg(test)]
mod tests;
