//! What a process brings along to its group.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Label, Weight};
use crate::group::Key;
use crate::schedule::Schedule;
use crate::work_dir::WorkDir;
use crate::{Bandwidth, local_time};

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

impl Identity {
    /// Which group it belongs to.
    pub(crate) fn key(&self) -> Key {
        if self.one_budget { Key::One } else { Key::Limit(self.limit.bytes()) }
    }

    /// What it allows now, in bytes a second: the limit, or less by the schedule.
    pub(crate) fn cap(&self) -> u64 {
        let scheduled = self.schedule.as_ref().map(|schedule| schedule.at(local_time::minute_of_day()));
        scheduled.map_or(self.limit, |rate| rate.min(self.limit)).bytes()
    }

    /// Opens its directory.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn open_dir(&self) -> Result<WorkDir> {
        WorkDir::open(&self.work_dir, self.create).context("cannot use the work directory")
    }
}

#[cfg(test)]
impl Identity {
    /// One without anything special.
    pub(crate) fn plain(work_dir: &std::path::Path, limit: u64) -> Self {
        Self {
            work_dir: work_dir.to_owned(),
            create: false,
            limit: Bandwidth::new(limit).unwrap(),
            one_budget: false,
            schedule: None,
            weight: Weight::default(),
            label: Label::default(),
        }
    }

    pub(crate) fn join(self) -> crate::member::Member {
        let dir = self.open_dir().unwrap();
        crate::member::Member::join(dir, self, crate::clock::Clock::of_this_kernel()).unwrap()
    }
}
