//! A member's slot in its group.

use anyhow::{Context, Result, bail};
use rustix::fs::fstat;

use super::Seen;
use crate::clock::{self, Clock, Nanos};
use crate::group::layout::{self, Layout, NO_LIMIT};
use crate::group::map::{Access, Map};
use crate::group::slots::{Card, State};
use crate::group::{Door, Group, Key, open, slots};
use crate::tally::Waits;
use crate::work_dir::{Inode, WorkDir};

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) group: Group,
    /// None if all slots are taken; then we share, but are not shown.
    pub(super) slot: Option<usize>,
    pub(super) inode: Inode,
}

/// How joining ended.
pub(super) enum Joined {
    Group(Seat),
    /// The file is good, but memory cannot show it.
    Unmapped {
        members: usize,
        why: String,
    },
}

impl Seat {
    /// Takes a slot. In an empty group it begins anew: limit, not paused, no debt.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn take(
        dir: &WorkDir,
        key: Key,
        layout: Layout,
        card: &Card<'_>,
        clock: Clock,
    ) -> Result<Joined> {
        let name = key.file();
        let path = || dir.path.join(&name).display().to_string();
        for () in open::rounds() {
            let file = open::open_or_make(dir, key, layout)?;
            let inode = Inode::from(&fstat(&file).with_context(path)?);
            if dir.inode(&name).with_context(path)? != Some(inode) {
                continue;
            }
            let Ok(length) = open::check(&file, layout) else { continue };
            let others = slots::locked(&file).with_context(path)?;
            let map = match Map::new(&file, length, Access::Write) {
                Ok(map) => map,
                Err(error) => {
                    let why = format!("{}: mmap: {error}", path());
                    return Ok(Joined::Unmapped { members: others.len() + 1, why });
                }
            };
            let group = Group { file, map };
            return Ok(Joined::Group(Self::enter(group, inode, key, card, clock).with_context(path)?));
        }
        bail!("{}: it is replaced all the time", path())
    }

    /// Who is first is decided in the door.
    fn enter(group: Group, inode: Inode, key: Key, card: &Card<'_>, clock: Clock) -> Result<Self> {
        let slot = {
            let _door = Door::enter(&group.file)?;
            if slots::locked(&group.file)?.is_empty() {
                begin(&group, key, clock);
            }
            group.take_slot(card)?
        };
        group.announce();
        Ok(Self { group, slot, inode })
    }

    /// Who is here, the smallest cap, and the originals that were counted.
    pub(super) fn look(&self, cap: u64, at: Nanos) -> (Seen, u64) {
        let group = &self.group;
        let joined = group.map.get(layout::JOINED);
        let others = slots::locked(&group.file).unwrap_or_default();
        let dead = (0..layout::SLOT_COUNT).filter(|slot| others.binary_search(slot).is_err());
        group.reap(dead.filter(|slot| Some(*slot) != self.slot));
        let smallest = others.iter().filter_map(|slot| group.cap(*slot)).fold(cap, u64::min);
        let lowest = match (others.first(), self.slot) {
            (Some(other), Some(own)) => own < *other,
            (other, _) => other.is_none(),
        };
        let seen = Seen { members: others.len() + 1, cap: smallest, lowest, joined, at };
        (seen, group.map.get(layout::ORIGINALS))
    }

    pub(super) fn set_cap(&self, cap: u64) {
        if let Some(slot) = self.slot {
            self.group.map.set(layout::slot(slot) + layout::CAP, cap);
        }
        self.group.announce();
    }

    pub(super) fn count(&self, bytes: u64, waits: Waits) {
        let map = &self.group.map;
        if bytes > 0 {
            map.add(layout::BYTES, bytes);
            self.group.count_in_cell(clock::epoch(), bytes);
        }
        for (at, waited) in layout::WAITED.into_iter().zip(waits.each()) {
            map.add(at, waited);
        }
        let Some(at) = self.slot.map(layout::slot) else { return };
        map.add(at + layout::SLOT_BYTES, bytes);
        for (word, waited) in layout::SLOT_WAITED.into_iter().zip(waits.each()) {
            map.add(at + word, waited);
        }
    }

    pub(super) fn leave(&self, state: State) {
        let map = &self.group.map;
        let ended = self.slot.is_none_or(|slot| self.group.leave(slot, state));
        if ended && state == State::Finished {
            map.add(layout::FINISHED, 1);
            map.set(layout::SUCCESS, clock::epoch());
        } else if ended {
            self.group.count_failure();
        }
        if let Some(slot) = self.slot {
            self.group.give_slot_back(slot);
        }
        self.group.announce();
    }
}

fn begin(group: &Group, key: Key, clock: Clock) {
    let limit = match key {
        Key::Limit(limit) => limit,
        Key::One => NO_LIMIT,
    };
    group.map.set(layout::LIMIT, limit);
    group.map.set(layout::PAUSED, 0);
    group.map.set(layout::ORIGINALS, 0);
    group.map.signed(layout::TAT).store(clock.now(), std::sync::atomic::Ordering::Release);
}
