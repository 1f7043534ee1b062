//! The directory in which the processes find each other. Every name is looked up in its descriptor, so a
//! directory that is moved stays the same.

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Dir, Gid, Mode, OFlags, Stat, fchmod, fchown, fstat, fstatfs, openat, statat,
};
use rustix::io::{self, Errno};

use crate::names::{self, Key, Name};

#[derive(Debug)]
pub(crate) struct WorkDir {
    fd: OwnedFd,
    pub(crate) path: PathBuf,
    /// What a new file gets: who may write the directory may take part.
    mode: Mode,
    group: Gid,
}

/// Which file a name or a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    device: u64,
    number: u64,
}

impl From<&Stat> for Inode {
    fn from(stat: &Stat) -> Self {
        Self { device: stat.st_dev, number: stat.st_ino }
    }
}

/// The type is a signed word on some machines, and 32 bits of it count.
fn network_of(kind: u64) -> Option<&'static str> {
    let kind = kind & u64::from(u32::MAX);
    NETWORK.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

/// Types of file systems (statfs(2)) on which locks and shared memory end at this host.
const NETWORK: [(u64, &str); 11] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
];

impl WorkDir {
    /// # Errors
    /// If it is no directory that may be listed; `create` makes a missing one.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Self> {
        if create {
            fs::create_dir_all(path).with_context(|| format!("--work-dir {}", path.display()))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty());
        let is_refused = fd.as_ref().is_err_and(|error| *error == Errno::ACCESS);
        let fd = fd.with_context(|| match fs::exists(path) {
            _ if is_refused => format!("--work-dir {}: be root or a user who may read it", path.display()),
            Ok(false) if !create => format!(
                "--work-dir {}: make it, or have the first sabo make it with --create",
                path.display()
            ),
            _ => format!("--work-dir {}", path.display()),
        })?;
        let stat = fstat(&fd).with_context(|| format!("--work-dir {}", path.display()))?;
        let group = Gid::from_raw(stat.st_gid);
        Ok(Self { fd, path: path.to_owned(), mode: mode_in(stat.st_mode), group })
    }

    /// Whether it was removed: nothing can be made in it any more.
    pub(crate) fn is_removed(&self) -> bool {
        fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// The kind of network file system that it is on.
    pub(crate) fn network(&self) -> Option<&'static str> {
        network_of(fstatfs(&self.fd).ok()?.f_type as u64)
    }

    /// The names in it that are text; ours all are.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let entries = Dir::read_from(&self.fd)?;
        let name = |name: &CStr| name.to_str().ok().map(str::to_owned);
        Ok(entries
            .collect::<io::Result<Vec<_>>>()?
            .iter()
            .filter_map(|entry| name(entry.file_name()))
            .collect())
    }

    /// The groups that it has files of, in order.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn groups(&self) -> io::Result<Vec<Key>> {
        let key = |name: &String| match names::parse(name) {
            Some(Name::Group(key)) => Some(key),
            _ => None,
        };
        let mut groups: Vec<Key> = self.names()?.iter().filter_map(key).collect();
        groups.sort();
        Ok(groups)
    }

    /// What the name itself stands for, and nothing that it links to.
    ///
    /// # Errors
    /// The kernel's; a name that is gone is none.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// The kernel's.
    pub(crate) fn inode(&self, name: &str) -> io::Result<Option<Inode>> {
        Ok(self.stat(name)?.as_ref().map(Inode::from))
    }

    /// Opens what is there: never through a symbolic link, never waiting for a fifo, and without O_CREAT,
    /// which fs.protected_regular forbids for another user's file.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn open_existing(&self, name: &str, access: OFlags) -> io::Result<OwnedFd> {
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        openat(&self.fd, name, flags, Mode::empty())
    }

    /// Makes a new file for all who may write the directory.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn make(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?;
        // Only who is in the directory's group may give a file to it; without that, the mode says enough.
        let _ = fchown(&file, None, Some(self.group));
        fchmod(&file, self.mode)?;
        Ok(file)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
    }
}

impl AsFd for WorkDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn mode_in(directory: u32) -> Mode {
    let directory = Mode::from_raw_mode(directory);
    let mut mode = Mode::RUSR | Mode::WUSR;
    for (writable, granted) in [(Mode::WGRP, Mode::RGRP | Mode::WGRP), (Mode::WOTH, Mode::ROTH | Mode::WOTH)]
    {
        if directory.contains(writable) {
            mode |= granted;
        }
    }
    mode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_the_directory_may_take_part() {
        let table = [(0o700, 0o600), (0o755, 0o600), (0o770, 0o660), (0o1777, 0o666), (0o702, 0o606)];
        for (directory, file) in table {
            assert_eq!(mode_in(0o040_000 | directory), Mode::from_raw_mode(file), "{directory:o}");
        }
    }

    #[test]
    fn a_missing_directory_is_made_only_if_asked() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let error = format!("{:#}", WorkDir::open(&path, false).unwrap_err());
        assert!(error.contains("--create") && error.contains("a/b"), "{error}");
        let dir = WorkDir::open(&path, true).unwrap();
        assert_eq!(dir.names().unwrap().iter().filter(|name| !name.starts_with('.')).count(), 0);
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(WorkDir::open(&file, true).is_err() && WorkDir::open(&file, false).is_err());
    }

    #[test]
    fn umask_does_not_shut_out_the_others() {
        use std::os::unix::fs::PermissionsExt;
        let path = tempfile::tempdir().unwrap();
        std::fs::set_permissions(path.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        let dir = WorkDir::open(path.path(), false).unwrap();
        dir.make("x").unwrap();
        assert_eq!(dir.stat("x").unwrap().unwrap().st_mode & 0o7777, 0o666);
        assert_eq!(dir.inode("y").unwrap(), None);
        assert!(dir.make("x").is_err());
    }

    #[test]
    fn file_systems_of_other_hosts_are_known() {
        // As statfs(2) has them, the third with its sign extended to 64 bits.
        let rows = [
            (0x6969, Some("NFS")),
            (0x517b, Some("SMB")),
            (0xffff_ffff_ff53_4d42, Some("SMB")),
            (0x6573_5546, Some("FUSE")),
            (0x0102_1997, Some("9p")),
            (0xef53, None),      // ext4
            (0x0102_1994, None), // tmpfs
            (0x5846_5342, None), // XFS
            (0x794c_7630, None), // overlayfs
        ];
        for (kind, expected) in rows {
            assert_eq!(network_of(kind), expected, "{kind:x}");
        }
    }
}
