//! Turns announced numbers into owned descriptors: the one place of this crate with `unsafe`.
//!
//! Two promises make it sound. A number is checked to be a listening socket before it is owned, and it is
//! owned at most once in the life of the process, even if it was closed and given out again since.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::InheritError;
use super::announced::Announced;

static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// What kind of listening socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Inet,
    Unix,
}

/// Owns all of `announced`, or, if one of them cannot be used, none.
pub(super) fn take(announced: &[Announced]) -> Result<Vec<(OwnedFd, Family)>, InheritError> {
    // Held until all are owned, so that two callers cannot own the same number. A set of numbers cannot be
    // left half-changed, so a poisoned lock is as good as another.
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut here = BTreeSet::new();
    let mut families = Vec::new();
    for Announced { fd, variable, .. } in announced {
        let unusable = |source| InheritError::Descriptor { variable, fd: *fd, source };
        if taken.contains(fd) || !here.insert(*fd) {
            return Err(unusable(io::Error::other("announced twice")));
        }
        families.push(check(*fd).map_err(unusable)?);
    }
    taken.extend(here);
    // SAFETY: each number is an open descriptor (checked above) that came to this process by inheritance,
    // so nothing in it owns the number; `TAKEN` makes sure that it is owned here only once.
    let own = |a: &Announced| unsafe { OwnedFd::from_raw_fd(a.fd) };
    Ok(announced.iter().map(own).zip(families).collect())
}

/// The family of the stream socket `fd`, which must listen.
fn check(fd: RawFd) -> io::Result<Family> {
    // SAFETY: the number is not -1 (the parser takes no sign), and the borrow lasts for this function,
    // which only asks the kernel about it; for a number that is not open the first question is EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    match sockopt::socket_type(fd) {
        Err(Errno::BADF) => return Err(io::Error::other("not open")),
        Err(Errno::NOTSOCK) => return Err(io::Error::other("not a socket")),
        Err(errno) => return Err(errno.into()),
        Ok(kind) if kind != SocketType::STREAM => return Err(io::Error::other("not a stream socket")),
        Ok(_) => {}
    }
    if !sockopt::socket_acceptconn(fd)? {
        return Err(io::Error::other("does not listen"));
    }
    match sockopt::socket_domain(fd)? {
        AddressFamily::INET | AddressFamily::INET6 => Ok(Family::Inet),
        AddressFamily::UNIX => Ok(Family::Unix),
        _ => Err(io::Error::other("neither a TCP nor a unix socket")),
    }
}
