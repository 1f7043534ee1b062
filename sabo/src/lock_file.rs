//! The file by which originals count us: locked with flock(2) as long as we live.

use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, flock, renameat};

use crate::names::Xid;
use crate::work_dir::WorkDir;

#[derive(Debug)]
pub(crate) struct LockFile {
    /// Holds the lock.
    _file: OwnedFd,
    pub(crate) name: String,
}

impl LockFile {
    /// Made under a name that originals do not look at, locked, then renamed, as the original does.
    ///
    /// # Errors
    /// If the directory cannot be written, or has no locks.
    pub(crate) fn make(dir: &WorkDir, limit: u64, xid: &Xid) -> Result<Self> {
        let name = format!("sabo_{limit}_{}_{xid}.lock", std::process::id());
        let draft = format!("_{name}");
        let path = || dir.path.join(&draft).display().to_string();
        let file = dir.make(&draft).with_context(path)?;
        let placed = flock(&file, FlockOperation::NonBlockingLockExclusive)
            .and_then(|()| renameat(dir, draft.as_str(), dir, name.as_str()));
        if placed.is_err() {
            // The error that is told is the one before.
            let _ = dir.remove(&draft);
        }
        placed.with_context(path)?;
        Ok(Self { _file: file, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::OFlags;

    #[test]
    fn an_original_finds_it_locked() {
        let path = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(path.path(), false).unwrap();
        let lock = LockFile::make(&dir, 100_000_000, &Xid::new()).unwrap();
        assert!(lock.name.starts_with(&format!("sabo_100000000_{}_", std::process::id())));
        let original = || {
            let file = dir.open_existing(&lock.name, OFlags::RDONLY).unwrap();
            flock(&file, FlockOperation::NonBlockingLockExclusive)
        };
        assert_eq!(original(), Err(rustix::io::Errno::WOULDBLOCK));
        assert_eq!(dir.names().unwrap().iter().filter(|name| name.starts_with('_')).count(), 0);
    }
}
