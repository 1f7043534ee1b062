//! The connections that the kernel has made and nobody has accepted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{SocketFlags, accept_with};
use tokio::net::{TcpStream, UnixStream};

use super::{Accepted, Peer, Stream};
use crate::listen::Listener;

/// The next of them, or `None` if there is none now. It asks the kernel itself: what tokio knows about a
/// socket may be older than a connection that has just been made.
pub(super) fn next(listener: &Listener) -> io::Result<Option<Accepted>> {
    match listener {
        Listener::Tcp(socket) => {
            let Some(stream) = take(socket.as_fd())? else { return Ok(None) };
            let stream = TcpStream::from_std(stream.into())?;
            let peer = stream.peer_addr()?.into();
            Ok(Some(Accepted { stream: Stream::Tcp(stream), peer }))
        }
        Listener::Unix(socket) => {
            let Some(stream) = take(socket.socket.as_fd())? else { return Ok(None) };
            let stream = UnixStream::from_std(stream.into())?;
            Ok(Some(Accepted { stream: Stream::Unix(stream), peer: Peer::Unix }))
        }
    }
}

fn take(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(stream) => Ok(Some(stream)),
        Err(rustix::io::Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
