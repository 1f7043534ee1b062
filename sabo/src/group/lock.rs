//! Open file description locks (fcntl(2), F_OFD_SETLK): they belong to an open file and end with it, however
//! its process ends. They are on byte ranges, and do not see flock(2).
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use rustix::fd::{AsFd, AsRawFd};

/// Whether a lock was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Ours,
    Theirs,
}

/// Tries to take the write lock on `range`.
///
/// # Errors
/// The kernel's; that another has the lock is none.
pub(crate) fn take(file: impl AsFd, range: Range<i64>) -> io::Result<Taken> {
    match fcntl(file, libc::F_OFD_SETLK, &mut request(libc::F_WRLCK, range)) {
        Ok(()) => Ok(Taken::Ours),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(Taken::Theirs),
        Err(error) => Err(error),
    }
}

/// Gives a lock back.
pub(crate) fn give_back(file: impl AsFd, range: Range<i64>) {
    // Unlocking fails only where locking does not work either.
    let _ = fcntl(file, libc::F_OFD_SETLK, &mut request(libc::F_UNLCK, range));
}

/// A lock that another open file holds somewhere in `range`; not always the first one.
///
/// # Errors
/// The kernel's.
pub(crate) fn holder(file: impl AsFd, range: Range<i64>) -> io::Result<Option<Range<i64>>> {
    let mut lock = request(libc::F_WRLCK, range);
    fcntl(file, libc::F_OFD_GETLK, &mut lock)?;
    if libc::c_int::from(lock.l_type) == libc::F_UNLCK {
        return Ok(None);
    }
    let end = if lock.l_len == 0 { i64::MAX } else { lock.l_start.saturating_add(lock.l_len) };
    Ok(Some(lock.l_start..end))
}

fn request(kind: libc::c_int, range: Range<i64>) -> libc::flock {
    // SAFETY: flock is plain numbers, for which zeros are valid; l_pid must be 0 for these commands.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = range.start;
    lock.l_len = range.end - range.start;
    lock
}

fn fcntl(file: impl AsFd, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel reads and writes one flock.
    let result = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, std::ptr::from_mut(lock)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_belong_to_open_files() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let open = || std::fs::File::options().read(true).write(true).open(path.path()).unwrap();
        let (one, two) = (open(), open());
        assert_eq!(take(&one, 10..20).unwrap(), Taken::Ours);
        assert_eq!(take(&two, 19..21).unwrap(), Taken::Theirs);
        assert_eq!(take(&two, 20..21).unwrap(), Taken::Ours);
        assert_eq!(holder(&one, 0..100).unwrap(), Some(20..21));
        assert_eq!(holder(&two, 0..100).unwrap(), Some(10..20));
        assert_eq!(holder(&two, 20..100).unwrap(), None);
        give_back(&one, 10..15);
        assert_eq!(holder(&two, 0..100).unwrap(), Some(15..20));
        drop(one);
        assert_eq!(holder(&two, 0..100).unwrap(), None);
    }
}
