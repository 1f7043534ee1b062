//! What a member does beside carrying bytes: it notices who comes and goes, a group file that is lost or
//! replaced, and once a second counts who else is in the directory.

use std::sync::atomic::Ordering;

use super::{Member, Place};
use crate::census::Census;
use crate::clock::{Nanos, SECOND};
use crate::group::Key;
use crate::group::layout;
use crate::signals;
use crate::work_dir::WorkDir;

/// Others than the lowest member count when nobody did for so long: it may be blocked in a write.
const COUNT_FOR_IT: Nanos = 2 * SECOND;

/// Looking who is here costs a system call a member, and a storm of starters changes it all the time.
const LOOK_AGAIN: Nanos = SECOND / 50;

impl Member {
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
        if matches!(&self.place, Place::Group(seat) if seat.group.is_lost()) {
            let members = self.seen.members as u64;
            self.go_alone(
                members,
                "the group file was truncated or overwritten, or its disk is full or broken",
            );
        }
    }

    pub(super) fn tick(&mut self) {
        self.tell_time();
        self.follow();
        let rejoin = match &self.place {
            Place::Group(seat) => self.dir.inode(&self.key.file()).ok().flatten() != Some(seat.inode),
            Place::Alone { .. } => true,
        };
        if rejoin {
            self.rejoin();
        }
        let cap = self.identity.cap();
        if cap != self.cap {
            self.cap = cap;
            if let Place::Group(seat) = &self.place {
                seat.set_cap(cap);
            }
        }
        self.look();
        self.count_others();
    }

    /// Tells the group what our time went to.
    pub(super) fn tell_time(&mut self) {
        let now = self.clock.now();
        let group = match &self.place {
            Place::Group(seat) => Some(&seat.group),
            Place::Alone { .. } => None,
        };
        self.spent.tell(group, now);
    }

    /// Goes on in the directory that was made in place of one that was removed, where new members are.
    fn follow(&mut self) {
        if self.dir.is_removed()
            && let Ok(dir) = WorkDir::open(&self.identity.work_dir, false)
        {
            signals::set_lock_file(None);
            self.lock_file = None;
            self.dir = dir;
        }
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
    pub(super) fn look(&mut self) {
        let at = self.clock.now();
        let Place::Group(seat) = &self.place else { return };
        let (seen, originals) = seat.look(self.cap, at);
        if seat.group.is_lost() {
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

    pub(super) fn take_census(&mut self) {
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
}
