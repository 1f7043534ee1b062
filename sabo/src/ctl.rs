//! Changing a group while it runs.

use anyhow::{Context, Result, bail};
use daemon::exit::{Failure, Stage};

use crate::args::{Change, Ctl};
use crate::group::layout;
use crate::group::map::Access;
use crate::group::{Door, Group, Key, slots};
use crate::status::print;
use crate::work_dir::WorkDir;
use crate::{Bandwidth, census, say};

/// Does what `ctl` says, and prints what holds now. It bites within one chunk of each member.
///
/// # Errors
/// No such directory; or nobody is in the group, so that what is set would not last.
pub fn ctl(ctl: &Ctl) -> Result<(), Failure> {
    let dir = WorkDir::open(&ctl.work_dir, false).configuring()?;
    change(&dir, ctl).running()
}

fn change(dir: &WorkDir, ctl: &Ctl) -> Result<()> {
    let key = match ctl.group {
        Some(key) => key,
        None => only_group(dir)?,
    };
    let group = Group::look(dir, key, Access::Write).with_context(|| format!("group {key}"))?;
    // Whoever joins meanwhile is either before this or after, and not the first of a new life.
    let _door = Door::enter(&group.file)?;
    if slots::locked(&group.file)?.is_empty() {
        bail!("group {key}: nobody is in it, start it with another --max-bandwidth instead");
    }
    apply(&ctl.change, key, &group);
    print(&format!("{}\n", now(key, &group)))
}

fn apply(change: &Change, key: Key, group: &Group) {
    if let Some(paused) = change.pause.or(change.resume.map(|resume| !resume)) {
        group.map.set(layout::PAUSED, u64::from(paused));
    }
    if let Some(rate) = change.max_bandwidth {
        let most = match key {
            Key::Limit(limit) => limit,
            Key::One => layout::NO_LIMIT - 1,
        };
        if rate.bytes() > most {
            say::line(&format!("{rate} is more than its processes were started with"));
        }
        group.map.set(layout::LIMIT, rate.bytes().min(most));
    }
    group.announce();
}

fn now(key: Key, group: &Group) -> String {
    changed(key, group).unwrap_or_else(|| format!("group {key} runs at its own limit"))
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

/// The one in which somebody is.
fn only_group(dir: &WorkDir) -> Result<Key> {
    let mut alive = dir.groups()?;
    alive.retain(|key| census::is_alive(dir, *key));
    match alive.as_slice() {
        [key] => Ok(*key),
        [] => bail!("{}: nobody is in any group", dir.path.display()),
        several => {
            let names: Vec<_> = several.iter().map(|key| format!("--group {key}")).collect();
            bail!("{}: which group? Give {}", dir.path.display(), names.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests;
