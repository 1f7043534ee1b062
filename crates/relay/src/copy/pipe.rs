//! A pipe between two sockets, through which the kernel hands pages from one to the other: splice(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;

use crate::Socket;

/// What a pipe takes: as much as anyone may ask for where pipe-max-size (pipe(7)) was left alone.
pub(super) const CAPACITY: usize = 1024 * 1024;

/// Never waiting, in the pipe as at the sockets; and moving pages rather than copying them.
const FLAGS: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

/// A pipe of [`CAPACITY`], and how much is in it.
///
/// It is only filled while empty. So EAGAIN always means the socket: nothing to read there while filling,
/// no room there while draining.
#[derive(Debug)]
pub(super) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

impl Pipe {
    /// Makes an empty pipe.
    ///
    /// # Errors
    /// EMFILE, ENFILE; EPERM when this user's pipes have reached pipe-user-pages-soft (pipe(7)): every new
    /// one then is a small one, and copying is better than that.
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        if fcntl_setpipe_size(&writer, CAPACITY)? < CAPACITY {
            return Err(Errno::PERM.into());
        }
        Ok(Self { reader, writer, held: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Moves what `source` has into the empty pipe. Zero says that nothing came, which is mostly, but not
    /// surely, the end of file: a read must tell.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, source: &Socket) -> Poll<io::Result<usize>> {
        debug_assert!(self.is_empty(), "EAGAIN could mean a full pipe");
        let n = loop {
            ready!(source.poll_ready(cx, Interest::READABLE))?;
            let tried = source.try_io(Interest::READABLE, |fd| move_bytes(fd, self.writer.as_fd(), CAPACITY));
            if let Some(n) = unless_blocked(tried)? {
                break n;
            }
        };
        self.held = n;
        Poll::Ready(Ok(n))
    }

    /// Moves what the pipe holds into `sink`, as far as that takes it.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &Socket) -> Poll<io::Result<usize>> {
        let n = loop {
            ready!(sink.poll_ready(cx, Interest::WRITABLE))?;
            // No more than there is: if more is announced, the sink may wait for it before it sends.
            let tried = sink.try_io(Interest::WRITABLE, |fd| move_bytes(self.reader.as_fd(), fd, self.held));
            if let Some(n) = unless_blocked(tried)? {
                break n;
            }
        };
        self.held -= n;
        Poll::Ready(Ok(n))
    }

    /// Takes bytes out of the pipe, for a sink that cannot be spliced to.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = retry_on_intr(|| rustix::io::read(&self.reader, &mut *into))?;
        self.held -= n;
        Ok(n)
    }
}

fn move_bytes(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
    Ok(retry_on_intr(|| splice(from, None, to, None, most, FLAGS))?)
}

fn unless_blocked(tried: io::Result<usize>) -> io::Result<Option<usize>> {
    match tried {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        tried => tried.map(Some),
    }
}

/// Whether the kernel says that it does not splice here (such a socket, too little memory, a filter of
/// system calls), which says nothing about the connection. No byte was moved.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOMEM | Errno::PERM)
    )
}

impl Socket {
    fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        match (self, interest) {
            (Self::Tcp(stream), Interest::READABLE) => stream.poll_read_ready(cx),
            (Self::Tcp(stream), _) => stream.poll_write_ready(cx),
            (Self::Unix(stream), Interest::READABLE) => stream.poll_read_ready(cx),
            (Self::Unix(stream), _) => stream.poll_write_ready(cx),
        }
    }

    /// Tries what needs the descriptor; EAGAIN of it makes the socket not ready until the kernel says so.
    fn try_io(
        &self,
        interest: Interest,
        f: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_io(interest, || f(stream.as_fd())),
            Self::Unix(stream) => stream.try_io(interest, || f(stream.as_fd())),
        }
    }
}
