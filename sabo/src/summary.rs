//! All groups of a work directory together, as a monitoring agent is told.

use std::path::Path;

use anyhow::Result;

use crate::clock::Clock;
use crate::status::{GroupStatus, MINUTE, Status};
use crate::work_dir::WorkDir;

/// What all groups did, and do. Rates and shares are of the last minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// Bytes a second.
    pub(crate) rate: f64,
    /// Bytes a second that may pass: what groups run at in which somebody is, or was in the last minute. If
    /// nobody is in any, what their names say.
    pub(crate) limit: Option<u64>,
    /// Rate by limit; none if nothing may pass. The limit may have been lowered meanwhile, so never above 1.
    pub(crate) utilisation: Option<f64>,
    pub(crate) members: u64,
    pub(crate) originals: u64,
    /// Shares of the members' time in which they waited for source, sink, limit; none if nobody was there.
    pub(crate) waiting: Option<[f64; 3]>,
    pub(crate) bytes: u64,
    /// Seconds waited for source, sink, limit.
    pub(crate) waited: [f64; 3],
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    /// Seconds since 1970.
    pub(crate) last_success: Option<u64>,
    pub(crate) last_failure: Option<u64>,
    pub(crate) resets: u64,
}

impl Summary {
    /// Reads the groups of a directory; none if no sabo ever ran there.
    ///
    /// # Errors
    /// Each reason why the whole is not known.
    pub(crate) fn read(work_dir: &Path) -> Result<Option<Self>, Vec<String>> {
        let status = look(work_dir).map_err(|error| vec![format!("{error:#}")])?;
        if status.errors.is_empty() { Ok(Self::of(&status.groups)) } else { Err(status.errors) }
    }

    #[allow(clippy::cast_precision_loss)] // 2^53 bytes a second are not reached
    fn of(groups: &[GroupStatus]) -> Option<Self> {
        let sum = |count: fn(&GroupStatus) -> u64| groups.iter().map(count).fold(0, u64::saturating_add);
        let rate = sum(|group| group.minute.bytes) as f64 / MINUTE as f64;
        let limit = limit(groups);
        let share = |limit: u64| (limit > 0).then(|| (rate / limit as f64).min(1.0));
        let [source, sink, of_limit] = [0, 1, 2].map(|of| {
            groups.iter().map(|group| [group.waited_source, group.waited_sink, group.waited_limit][of]).sum()
        });
        (!groups.is_empty()).then(|| Self {
            rate,
            limit,
            utilisation: limit.and_then(share),
            members: sum(|group| group.members.len() as u64),
            originals: sum(|group| group.originals),
            waiting: waiting(groups),
            bytes: sum(|group| group.bytes),
            waited: [source, sink, of_limit],
            finished: sum(|group| group.runs_finished),
            failed: sum(|group| group.runs_failed),
            last_success: groups.iter().filter_map(|group| group.last_success).max(),
            last_failure: groups.iter().filter_map(|group| group.last_failure).max(),
            resets: sum(|group| group.resets),
        })
    }
}

/// The groups of a directory.
///
/// # Errors
/// If it cannot be read; of a group that cannot, the status tells.
pub(crate) fn look(work_dir: &Path) -> Result<Status> {
    Status::of(&WorkDir::open(work_dir, false)?, Clock::of_this_kernel())
}

fn limit(groups: &[GroupStatus]) -> Option<u64> {
    let is_active = |group: &&GroupStatus| !group.members.is_empty() || group.minute.bytes > 0;
    let own = |group: &GroupStatus| match group.members.is_empty() {
        true => group.limit,
        false => Some(group.effective_rate),
    };
    let add = |sum: Option<u64>, limit: u64| Some(sum.unwrap_or(0).saturating_add(limit));
    match groups.iter().any(|group| is_active(&group)) {
        true => groups.iter().filter(is_active).filter_map(own).fold(None, add),
        false => groups.iter().filter_map(own).fold(None, add),
    }
}

/// Members that tell nothing of their time, being older, count on neither side.
#[allow(clippy::cast_precision_loss)]
fn waiting(groups: &[GroupStatus]) -> Option<[f64; 3]> {
    let here: f64 = groups.iter().map(|group| group.minute.here as f64).sum();
    let share = |of: usize| {
        let waited: f64 = groups.iter().map(|group| group.minute.waited[of] as f64).sum();
        (waited / here).min(1.0)
    };
    (here > 0.0).then(|| [0, 1, 2].map(share))
}

#[cfg(test)]
mod tests;
