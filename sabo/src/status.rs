//! What the groups of a work directory do, for people and for programs.

mod table;

use std::io::Write;

use anyhow::{Context, Result, ensure};
use daemon::exit::{Failure, Stage};
use serde::Serialize;

use crate::args::Look;
use crate::clock::{self, Clock, Nanos};
use crate::group::cells::Recent;
use crate::group::layout::{self, NO_LIMIT};
use crate::group::map::Access;
use crate::group::slots::{Entry, Roll};
use crate::group::{Group, Key};
use crate::tally;
use crate::work_dir::WorkDir;
pub(crate) use table::table;

/// Over how many seconds the rate of a group is taken.
const RECENT: u64 = 5;

/// As many whole seconds are monitored; there are cells for a few more.
pub(crate) const MINUTE: u64 = 60;

/// The answer of `sabo status --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Status {
    pub(crate) work_dir: String,
    pub(crate) groups: Vec<GroupStatus>,
    /// Groups that cannot be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
}

/// A group. Rates are in bytes a second, times in seconds, moments in seconds since 1970.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct GroupStatus {
    /// As `--group` takes it.
    pub(crate) group: String,
    pub(crate) file: String,
    /// What its processes were started with; null for `one`.
    pub(crate) limit: Option<u64>,
    /// What `sabo ctl` set; null if nothing, or if nobody is in the group.
    pub(crate) ctl_limit: Option<u64>,
    /// What its members share now: after schedules, ctl and originals. 0 if paused or empty.
    pub(crate) effective_rate: u64,
    pub(crate) paused: bool,
    /// Bytes a second over the last five.
    pub(crate) rate: u64,
    pub(crate) originals: u64,
    pub(crate) bytes: u64,
    pub(crate) runs_finished: u64,
    /// With those that were killed and that no other counted yet.
    pub(crate) runs_failed: u64,
    pub(crate) last_success: Option<u64>,
    /// Of a run that was killed: when that was noticed. Null if none failed, as far as is known.
    pub(crate) last_failure: Option<u64>,
    pub(crate) waited_source: f64,
    pub(crate) waited_sink: f64,
    pub(crate) waited_limit: f64,
    pub(crate) resets: u64,
    pub(crate) members: Vec<MemberStatus>,
    /// How many were killed and not counted yet.
    #[serde(skip)]
    pub(crate) dead: u64,
    /// The last 60 s.
    #[serde(skip)]
    pub(crate) minute: Recent,
}

/// A live member.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct MemberStatus {
    pub(crate) slot: usize,
    pub(crate) pid: u32,
    pub(crate) xid: String,
    pub(crate) name: String,
    pub(crate) weight: f64,
    /// What it allows by itself: its limit or its schedule.
    pub(crate) cap: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// Bytes a second since it came; in `top` since the last look.
    pub(crate) rate: u64,
    pub(crate) waited_source: f64,
    pub(crate) waited_sink: f64,
}

/// Prints what the groups do, once.
///
/// # Errors
/// No such directory; or it cannot be read, or stdout cannot be written.
pub fn status(look: &Look, json: bool) -> Result<(), Failure> {
    let dir = WorkDir::open(&look.work_dir, false).configuring()?;
    tell(&dir, json).running()
}

fn tell(dir: &WorkDir, json: bool) -> Result<()> {
    let status = Status::of(dir, Clock::of_this_kernel())?;
    let text = if json { serde_json::to_string_pretty(&status)? + "\n" } else { table(&status, usize::MAX) };
    print(&text)
}

pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing stdout")
}

impl Status {
    pub(crate) fn of(dir: &WorkDir, clock: Clock) -> Result<Self> {
        let keys = dir.groups().with_context(|| dir.path.display().to_string())?;
        let mut status = Self { work_dir: dir.path.display().to_string(), ..Self::default() };
        for key in keys {
            match Group::look(dir, key, Access::Read) {
                Ok(group) => match GroupStatus::of(dir, key, &group, clock) {
                    Ok(group) => status.groups.push(group),
                    Err(error) => {
                        status.errors.push(format!("{}: {error:#}", dir.path.join(key.file()).display()))
                    }
                },
                Err(error) => status.errors.push(format!("{error:#}")),
            }
        }
        Ok(status)
    }
}

impl GroupStatus {
    fn of(dir: &WorkDir, key: Key, group: &Group, clock: Clock) -> Result<Self> {
        let map = &group.map;
        let (now, second) = (clock.now(), clock::epoch());
        let Roll { live, dead } = group.roll().context("who is here (fcntl, F_OFD_GETLK)")?;
        let entries = live.iter().map(|slot| group.entry(*slot)).filter(|entry| entry.here);
        let members: Vec<_> = entries.map(|entry| MemberStatus::of(entry, now)).collect();
        let limit = match key {
            Key::Limit(limit) => Some(limit),
            Key::One => None,
        };
        let alive = !live.is_empty();
        let [waited_source, waited_sink, waited_limit] = layout::WAITED.map(|at| seconds(map.get(at)));
        let moment = |at| Some(map.get(at)).filter(|moment| *moment > 0);
        let mut status = Self {
            group: key.to_string(),
            file: dir.path.join(key.file()).display().to_string(),
            limit,
            ctl_limit: Some(group.limit()).filter(|now| alive && *now < limit.unwrap_or(NO_LIMIT)),
            effective_rate: 0,
            paused: alive && group.is_paused(),
            rate: group.recent_rate(second, RECENT),
            originals: if alive { map.get(layout::ORIGINALS) } else { 0 },
            bytes: map.get(layout::BYTES),
            runs_finished: map.get(layout::FINISHED),
            runs_failed: map.get(layout::FAILED).saturating_add(dead),
            last_success: moment(layout::SUCCESS),
            last_failure: moment(layout::FAILURE),
            waited_source,
            waited_sink,
            waited_limit,
            resets: map.get(layout::RESETS),
            members,
            dead,
            minute: group.recent(second, MINUTE),
        };
        status.effective_rate = status.effective(group.limit());
        ensure!(!group.is_lost(), "it was truncated or overwritten meanwhile");
        Ok(status)
    }

    fn effective(&self, limit: u64) -> u64 {
        let Some(cap) = self.members.iter().map(|member| member.cap).min().filter(|_| !self.paused) else {
            return 0;
        };
        let mut share = crate::share::Share::new();
        share.count(0, self.members.len(), self.originals);
        share.of(cap.min(limit), Nanos::MAX)
    }
}

impl MemberStatus {
    fn of(entry: Entry, now: Nanos) -> Self {
        let here = now.saturating_sub(entry.since).max(0);
        let [waited_source, waited_sink] = entry.waited.map(seconds);
        Self {
            slot: entry.slot,
            pid: entry.pid,
            xid: entry.xid,
            name: entry.name,
            weight: f64::from(entry.weight) / 1000.0,
            cap: entry.cap,
            bytes: entry.bytes,
            seconds: clock::seconds(here),
            rate: tally::rate(entry.bytes, here),
            waited_source,
            waited_sink,
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    clock::seconds(Nanos::try_from(nanos).unwrap_or(Nanos::MAX))
}

#[cfg(test)]
mod tests;
