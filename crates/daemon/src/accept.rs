//! The accept loop: it cannot fail, and it never waits for a peer.

mod backlog;
mod peer;
mod shortage;
mod tune;

use std::io;
use std::time::Instant;

use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::listen::Listener;
pub use peer::Peer;
use shortage::Shortage;

/// A connection, and who made it.
#[derive(Debug)]
pub struct Accepted {
    /// The connection. Its socket is as the kernel made it: no keep-alive, no TCP_NODELAY; see [`Stream::tune`].
    pub stream: Stream,
    /// The other end.
    pub peer: Peer,
}

/// The stream of an accepted connection.
#[derive(Debug)]
pub enum Stream {
    /// From a TCP listener.
    Tcp(TcpStream),
    /// From a unix listener.
    Unix(UnixStream),
}

/// Accepts until `stop` is cancelled, and hands every connection to `on`; then closes the listener.
///
/// `on` must not block: it spawns a task, in which handshake, authentication and dialling happen under a
/// deadline. An error of one connection is its own; a lack of descriptors or memory is logged, waited out
/// (10 ms, doubling to 1 s) and survived, while the kernel keeps the connections in its backlog.
pub async fn serve(listener: Listener, stop: CancellationToken, mut on: impl FnMut(Accepted)) {
    until(&listener, &stop, &mut on).await;
}

/// As [`serve`], but what waits in the backlog when `stop` is cancelled is handed over too, before the
/// listener is closed. For a socket of our own: nobody else would ever accept those connections, and closing it
/// resets them.
pub async fn serve_out(listener: Listener, stop: CancellationToken, mut on: impl FnMut(Accepted)) {
    until(&listener, &stop, &mut on).await;
    let mut shortage = Shortage::new(listener.to_string());
    loop {
        match backlog::next(&listener) {
            Ok(None) => return,
            Ok(Some(accepted)) => on(accepted),
            Err(error) => wait_out(&mut shortage, error).await,
        }
    }
}

async fn until(listener: &Listener, stop: &CancellationToken, on: &mut impl FnMut(Accepted)) {
    let accepting = async {
        let mut shortage = Shortage::new(listener.to_string());
        loop {
            match accept(listener).await {
                Ok(accepted) => {
                    shortage.is_over();
                    on(accepted);
                }
                Err(error) => wait_out(&mut shortage, error).await,
            }
        }
    };
    // `biased`: while connections keep coming, the stop must still be seen.
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = accepting => {}
    }
}

async fn wait_out(shortage: &mut Shortage, error: io::Error) {
    if of_one_connection(&error) {
        tracing::debug!(listener = shortage.listener(), %error, "a connection ended before it was accepted");
    } else {
        tokio::time::sleep(shortage.goes_on(&error, Instant::now())).await;
    }
}

async fn accept(listener: &Listener) -> io::Result<Accepted> {
    match listener {
        Listener::Tcp(socket) => {
            let (stream, address) = socket.accept().await?;
            Ok(Accepted { stream: Stream::Tcp(stream), peer: address.into() })
        }
        Listener::Unix(socket) => {
            let (stream, _) = socket.socket.accept().await?;
            Ok(Accepted { stream: Stream::Unix(stream), peer: Peer::Unix })
        }
    }
}

/// Linux reports pending network errors of the new connection from accept(2), which lists them; EPERM is a
/// firewall's. Whatever is not in this list is waited out, so that no error can make the loop spin.
fn of_one_connection(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let Some(errno) = Errno::from_io_error(error) else { return false };
    [
        Errno::CONNABORTED,
        Errno::PERM,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
        Errno::CONNRESET,
        Errno::CONNREFUSED,
        Errno::TIMEDOUT,
    ]
    .contains(&errno)
}

#[cfg(test)]
mod tests;
