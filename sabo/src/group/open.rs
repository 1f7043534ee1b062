//! How a group file is opened, and made if it is missing.
//!
//! A file appears under its final name complete, without holes (a store into a hole on a full disk is
//! SIGBUS), by linkat(2): of two processes that start together one gets EEXIST and opens the other's file. A
//! rename would leave them with two.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, OFlags, RenameFlags, fstat, linkat, renameat_with};
use rustix::io::Errno;

use super::layout::{Layout, MAGIC};
use super::map::Access;
use super::{Door, Key, slots};
use crate::names::{self, Name, Xid};
use crate::work_dir::{Inode, WorkDir};

/// What is wrong with a file of the right name.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// Its content: it is made again if nobody is in it.
    Content(&'static str),
    /// It has a second name, perhaps only for a moment: see [`unlink_draft`].
    Linked,
    /// It is not even a file of ours.
    Error(Error),
}

impl Wrong {
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Content(what) => anyhow!("{what}"),
            Self::Linked => anyhow!("it has a second name (a hard link), remove it"),
            Self::Error(error) => error,
        }
    }
}

/// Each round is lost to another process that made progress, or to garbage that comes back: nobody who makes
/// it may keep us for longer than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// Rounds that may be lost, as an iterator: some, and then as many as the time allows.
pub(crate) fn rounds() -> impl Iterator<Item = ()> {
    let begun = Instant::now();
    (0..).take_while(move |round| *round < 3 || begun.elapsed() < PATIENCE).map(|_: u32| ())
}

/// The group's file, made if it is missing.
///
/// # Errors
/// What is wrong with the file that is there, or why none can be made.
pub(crate) fn open_or_make(dir: &WorkDir, key: Key, layout: Layout) -> Result<OwnedFd> {
    let name = key.file();
    let path = || dir.path.join(&name).display().to_string();
    for () in rounds() {
        let file = match dir.open_existing(&name, OFlags::RDWR) {
            Ok(file) => file,
            Err(Errno::NOENT) => {
                make(dir, key, layout).with_context(path)?;
                continue;
            }
            Err(error) => return Err(refused(error, Access::Write)).with_context(path),
        };
        match check(&file, layout) {
            Ok(_) => return Ok(file),
            Err(Wrong::Content(what)) => remove_bad(dir, &name, &file, what).with_context(path)?,
            Err(Wrong::Linked) => unlink_draft(dir, key, &file)?,
            Err(wrong) => return Err(wrong.error()).with_context(path),
        }
    }
    bail!("{}: it is changed or has a second name (a hard link) all the time", path())
}

/// Why a file cannot be opened, and what to do.
pub(crate) fn refused(error: Errno, access: Access) -> Error {
    match error {
        Errno::LOOP => anyhow!("it is a symbolic link, remove it"),
        Errno::ISDIR | Errno::NXIO => anyhow!("it is no regular file, remove it"),
        Errno::ACCESS if access == Access::Read => anyhow!(error).context("it belongs to another user: be that user or root"),
        Errno::ACCESS | Errno::PERM => anyhow!(error)
            .context("it belongs to another user; to share, make the directory writable for the group and remove the file"),
        error => anyhow!(error),
    }
}

/// How much of the file is mapped.
///
/// # Errors
/// If it is no group.
pub(crate) fn check(file: &OwnedFd, layout: Layout) -> Result<usize, Wrong> {
    let stat = fstat(file).map_err(|error| Wrong::Error(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Wrong::Error(anyhow!("it is no regular file, remove it")));
    }
    if stat.st_nlink > 1 {
        return Err(Wrong::Linked);
    }
    let length = u64::try_from(stat.st_size).ok().and_then(|length| layout.mapped(length));
    let length = length.ok_or(Wrong::Content("it has a wrong size"))?;
    let mut magic = [0; 8];
    match rustix::io::pread(file, &mut magic, 0) {
        Ok(8) if u64::from_ne_bytes(magic) == MAGIC => Ok(length),
        Ok(_) => Err(Wrong::Content("it is no group of sabo")),
        Err(error) => Err(Wrong::Error(error.into())),
    }
}

/// Unlinks a bad file in which nobody is. Only ever called for the name of a group.
fn remove_bad(dir: &WorkDir, name: &str, file: &OwnedFd, what: &str) -> Result<()> {
    let _door = Door::enter(file)?;
    if !slots::locked(file)?.is_empty() {
        bail!("{what}, and a process works with it");
    }
    let found = fstat(file)?;
    if dir.inode(name)? == Some(Inode::from(&found)) {
        dir.remove(name)?;
    }
    Ok(())
}

/// Between linkat and unlink a new file has two names, for ever if its maker was killed there.
fn unlink_draft(dir: &WorkDir, key: Key, file: &OwnedFd) -> Result<()> {
    let inode = Inode::from(&fstat(file)?);
    let draft = key.file().replace(".group", ".");
    for name in dir.names()? {
        let is_draft = names::parse(&name) == Some(Name::Draft) && name[1..].starts_with(&draft);
        if is_draft && dir.inode(&name)? == Some(inode) {
            // The maker may have been faster.
            let _ = dir.remove(&name);
            return Ok(());
        }
    }
    std::thread::sleep(Duration::from_millis(1));
    Ok(())
}

/// Makes the file, unless somebody else was faster.
fn make(dir: &WorkDir, key: Key, layout: Layout) -> Result<()> {
    let draft = Draft { dir, name: key.draft(&Xid::new()) };
    let file = dir.make(&draft.name)?;
    std::fs::File::from(file).write_all(&layout.content())?;
    let linked = match linkat(dir, draft.name.as_str(), dir, key.file(), AtFlags::empty()) {
        // A file system without hard links; this rename keeps what is there, as a link does.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            renameat_with(dir, draft.name.as_str(), dir, key.file(), RenameFlags::NOREPLACE)
        }
        linked => linked,
    };
    match linked {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The first name of a file, removed at the end.
struct Draft<'a> {
    dir: &'a WorkDir,
    name: String,
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // After a rename it is gone.
        let _ = self.dir.remove(&self.name);
    }
}

#[cfg(test)]
mod tests;
