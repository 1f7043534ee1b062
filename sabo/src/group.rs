//! A group: the file in which its members keep what they share.

pub(crate) mod cells;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod map;
pub(crate) mod open;
pub(crate) mod sigbus;
pub(crate) mod slots;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;

pub use crate::names::Key;
use crate::work_dir::WorkDir;
use layout::Layout;
use lock::Taken;
use map::{Access, Map};

/// The lock on this byte decides who is first in an empty group, and who mends a bad file.
const DOOR: std::ops::Range<i64> = 0..1;

/// Nobody holds the door longer than a moment; whoever does is no member.
const DOOR_PATIENCE: Duration = Duration::from_secs(1);

/// An open and mapped group file.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) file: OwnedFd,
    pub(crate) map: Map,
}

impl Group {
    /// Opens a group to look at it or to change it, and never makes one.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn look(dir: &WorkDir, key: Key, access: Access) -> Result<Self> {
        let name = key.file();
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        let in_file = || dir.path.join(&name).display().to_string();
        let file = dir.open_existing(&name, flags).map_err(|error| open::refused(error, access));
        let file = file.with_context(in_file)?;
        let length = open::check(&file, Layout::V1).map_err(|wrong| wrong.error()).with_context(in_file)?;
        let map = Map::new(&file, length, access).with_context(in_file)?;
        Ok(Self { file, map })
    }

    pub(crate) fn tat(&self) -> &AtomicI64 {
        self.map.signed(layout::TAT)
    }

    /// Bytes a second that the header allows; at least 1.
    pub(crate) fn limit(&self) -> u64 {
        self.map.get(layout::LIMIT).max(1)
    }

    /// Whether it is no group any more: truncated, or overwritten.
    pub(crate) fn is_lost(&self) -> bool {
        self.map.is_lost() || self.map.get(layout::MAGIC_AT) != layout::MAGIC
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.map.get(layout::PAUSED) != 0
    }

    /// Makes members look again who is here.
    pub(crate) fn announce(&self) {
        self.map.word(layout::JOINED).fetch_add(1, Ordering::Release);
    }
}

/// The lock on byte 0, given back at the end.
pub(crate) struct Door<'a>(Option<&'a OwnedFd>);

impl<'a> Door<'a> {
    /// Waits until nobody else is in the door. After a second it is as if it had the lock: somebody holds
    /// it who is no member, and may not keep members out.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub(crate) fn enter(file: &'a OwnedFd) -> Result<Self> {
        let begun = Instant::now();
        while begun.elapsed() < DOOR_PATIENCE {
            if lock::take(file, DOOR).context("locking (fcntl, F_OFD_SETLK)")? == Taken::Ours {
                return Ok(Self(Some(file)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self(None))
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            lock::give_back(file, DOOR);
        }
    }
}
