//! Who else is in the work directory: originals, and groups of other limits.
//!
//! An original holds flock(2) on its lock file, so a shared lock that is refused means that it lives, and one
//! that is obtained that the file was left behind.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, FlockOperation, OFlags, flock, fstat};
use rustix::io::Errno;

use crate::clock;
use crate::group::layout::SLOT_COUNT;
use crate::group::{Group, Key, slots};
use crate::names::{self, Name};
use crate::say::Said;
use crate::work_dir::WorkDir;

/// A draft that is older was left behind.
const DRAFT: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Live lock files that share our limit and belong to no member.
    pub(crate) originals: u64,
    /// Other groups, or limits of originals, that are alive.
    pub(crate) others: BTreeSet<Key>,
}

impl Census {
    /// Lists the directory, and removes what was left behind. `group` is that of `key`.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn take(dir: &WorkDir, key: Key, group: &Group, said: &mut Said) -> std::io::Result<Self> {
        let names = dir.names()?;
        // After the listing: a member has its slot before its lock file, and gives it back after.
        let live = slots::locked(&group.file)?;
        let xids = |live: bool, slots: &[usize]| -> HashSet<String> {
            let wanted = |slot: &usize| group.was_used(*slot) && slots.binary_search(slot).is_ok() == live;
            (0..SLOT_COUNT).filter(wanted).map(|slot| group.xid(slot)).collect()
        };
        let (members, ended) = (xids(true, &live), xids(false, &live));
        let mut census = Self::default();
        for name in &names {
            match names::parse(name) {
                Some(Name::Group(other)) if other != key && is_alive(dir, other) => {
                    census.others.insert(other);
                }
                Some(Name::Lock { xid: Some(xid), .. }) if members.contains(xid) => {}
                Some(Name::Lock { limit, xid }) => {
                    // The locks of a process that is killed do not end at one moment. We are here, too.
                    let has_ended = xid.is_some_and(|xid| ended.contains(xid));
                    if is_locked(dir, name, said) && !has_ended {
                        census.count(key, limit);
                    }
                }
                Some(Name::Draft) => remove_old(dir, name),
                _ => {}
            }
        }
        Ok(census)
    }

    fn count(&mut self, key: Key, limit: u64) {
        if key == Key::One || key == Key::Limit(limit) {
            self.originals += 1;
        } else {
            self.others.insert(Key::Limit(limit));
        }
    }
}

/// Whether somebody is in the group.
pub(crate) fn is_alive(dir: &WorkDir, key: Key) -> bool {
    let open = dir.open_existing(&key.file(), OFlags::RDONLY);
    open.is_ok_and(|file| slots::locked(&file).is_ok_and(|slots| !slots.is_empty()))
}

/// Whether somebody holds the file; one that nobody holds is removed.
fn is_locked(dir: &WorkDir, name: &str, said: &mut Said) -> bool {
    let file = match dir.open_existing(name, OFlags::RDONLY) {
        Ok(file) => file,
        Err(Errno::NOENT) => return false,
        Err(error) => {
            let path = dir.path.join(name);
            said.once(format!(
                "{}: {error}; it is not counted, make it readable or remove it",
                path.display()
            ));
            return false;
        }
    };
    match is_regular(&file).then(|| flock(&file, FlockOperation::NonBlockingLockShared)) {
        Some(Err(Errno::WOULDBLOCK)) => true,
        Some(Ok(())) => {
            // Another's sticky directory, or another who was faster.
            let _ = dir.remove(name);
            false
        }
        _ => false,
    }
}

fn remove_old(dir: &WorkDir, name: &str) {
    let Ok(file) = dir.open_existing(name, OFlags::RDONLY) else { return };
    let written = fstat(&file).map_or(0, |stat| u64::try_from(stat.st_mtime).unwrap_or(0));
    let old = clock::epoch().saturating_sub(written) > DRAFT.as_secs();
    if old && is_regular(&file) && flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        // As above.
        let _ = dir.remove(name);
    }
}

fn is_regular(file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

#[cfg(test)]
mod tests;
