//! One end of the pipe: what kind of file it is, and how much it holds. Its flags are never changed, since a
//! descriptor that was inherited is shared with the whole shell.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, tell};
use rustix::io::{self, Errno, ioctl_fionread};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use crate::clock::{self, Nanos};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pipe,
    Socket,
    Terminal,
    /// A file or a device.
    File,
}

#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) fd: BorrowedFd<'a>,
    pub(super) kind: Kind,
    /// What a pipe can hold.
    capacity: u64,
}

/// Which end is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    Source,
    Sink,
}

impl<'a> End<'a> {
    pub(super) fn of(fd: BorrowedFd<'a>) -> Self {
        let kind = match fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Fifo) => Kind::Pipe,
            Ok(FileType::Socket) => Kind::Socket,
            Ok(FileType::CharacterDevice) if rustix::termios::isatty(fd) => Kind::Terminal,
            _ => Kind::File,
        };
        let capacity = fcntl_getpipe_size(fd).map_or(0, |size| size as u64);
        Self { fd, kind, capacity }
    }

    /// Whether a read that is shorter than what was sent at once loses the rest.
    pub(super) fn cuts_messages(&self) -> bool {
        self.kind == Kind::Socket && socket_type(self.fd).is_ok_and(|kind| kind != SocketType::STREAM)
    }

    /// Refuses a descriptor that is open for the other direction only: on such a pipe poll(2) waits for ever.
    ///
    /// # Errors
    /// EBADF, as read(2) and write(2) say.
    pub(super) fn check(&self, side: Ready) -> io::Result<()> {
        let only = match side {
            Ready::Source => OFlags::WRONLY,
            Ready::Sink => OFlags::RDONLY,
        };
        if fcntl_getfl(self.fd)? & OFlags::RWMODE == only { Err(Errno::BADF) } else { Ok(()) }
    }

    /// Whether it is a file in which the source will find what is written, and never an end.
    pub(super) fn feeds(&self, source: &Self) -> bool {
        let (Ok(from), Ok(to)) = (fstat(source.fd), fstat(self.fd)) else { return false };
        let (Ok(read), Ok(written)) = (tell(source.fd), tell(self.fd)) else { return false };
        let ahead = fcntl_getfl(self.fd).is_ok_and(|flags| flags.contains(OFlags::APPEND)) || written > read;
        let same = (from.st_dev, from.st_ino) == (to.st_dev, to.st_ino);
        let is_file = FileType::from_raw_mode(from.st_mode) == FileType::RegularFile;
        same && is_file && ahead && u64::try_from(from.st_size).is_ok_and(|size| size > read)
    }

    /// Makes a pipe hold so much. That it may not (the user has many pipes) or cannot is no error.
    pub(super) fn enlarge(&mut self, size: usize) {
        if self.kind == Kind::Pipe && self.capacity < size as u64 {
            let _ = fcntl_setpipe_size(self.fd, size);
            self.capacity = fcntl_getpipe_size(self.fd).map_or(self.capacity, |size| size as u64);
        }
    }

    /// How much can be read at once, as far as that can be known: FIONREAD lies on large files and fails on
    /// devices. A pipe that is as good as full is taken for a source that fills it again at once, so that a
    /// weight above 1 has an effect where a quantum is larger than a pipe.
    pub(super) fn there(&self, quantum: u64) -> u64 {
        if self.kind == Kind::File {
            return quantum;
        }
        match ioctl_fionread(self.fd) {
            Ok(there) if self.kind == Kind::Pipe && there > 0 && there >= self.capacity / 4 * 3 => quantum,
            Ok(there) => there.min(quantum),
            Err(_) => quantum,
        }
    }

    pub(super) fn readable(&self, patience: Nanos) -> io::Result<bool> {
        self.wait(PollFlags::IN, patience)
    }

    /// True also where writing would fail: there may be nothing to write any more.
    pub(super) fn writable(&self, patience: Nanos) -> io::Result<bool> {
        self.wait(PollFlags::OUT, patience)
    }

    fn wait(&self, wanted: PollFlags, patience: Nanos) -> io::Result<bool> {
        match poll(&mut [PollFd::from_borrowed_fd(self.fd, wanted)], Some(&clock::timespec(patience))) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
