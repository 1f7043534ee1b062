//! A connected stream socket, TCP or unix, tuned as every socket of ours is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// One end of a relay: a byte stream that can also be ended abruptly.
pub trait Leg: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the coming drop a reset (RST) instead of an orderly end (FIN), so that the peer cannot take
    /// a truncated stream for a complete one. Unix sockets have no reset: there it does nothing.
    fn reset_on_drop(&mut self);

    /// How the connection has failed, if it has and nobody was told yet (SO_ERROR, socket(7)); asking takes
    /// the error away. For a stream that is not read because its bytes have nowhere to go: its end would
    /// not be noticed. A stream that cannot tell says none.
    fn take_error(&self) -> Option<io::ErrorKind> {
        None
    }

    /// The socket whose bytes are this stream's bytes, unchanged: the kernel can then move them from leg to
    /// leg without showing them to us. A stream that wraps its bytes, or has read some ahead, says none.
    fn socket(&self) -> Option<&Socket> {
        None
    }
}

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP, with TCP_NODELAY and keep-alive (15 s idle, 15 s apart, 9 probes).
    Tcp(TcpStream),
    /// AF_UNIX.
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    /// Tunes the socket: small messages go out at once, and a dead peer is found after two and a half
    /// minutes. A kernel that refuses either option is no reason to refuse the connection.
    fn from(stream: TcpStream) -> Self {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(15))
            .with_interval(Duration::from_secs(15))
            .with_retries(9);
        let tuned = stream.set_nodelay(true).and(SockRef::from(&stream).set_tcp_keepalive(&keepalive));
        if let Err(error) = tuned {
            tracing::debug!(%error, "socket options refused");
        }
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl Socket {
    /// Resolves when the peer has reset the connection (or it failed in another way); an orderly end
    /// (FIN) does not count. For watching a socket that is deliberately not read.
    pub async fn failed(&self) {
        let ready = match self {
            Self::Tcp(s) => s.ready(tokio::io::Interest::ERROR).await,
            Self::Unix(s) => s.ready(tokio::io::Interest::ERROR).await,
        };
        if let Err(error) = ready {
            tracing::debug!(%error, "socket cannot be watched");
            std::future::pending::<()>().await;
        }
    }
}

impl Leg for Socket {
    fn reset_on_drop(&mut self) {
        if let Self::Tcp(stream) = self
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::debug!(%error, "cannot arrange for a reset");
        }
    }

    fn take_error(&self) -> Option<io::ErrorKind> {
        let error = match self {
            Self::Tcp(stream) => stream.take_error(),
            Self::Unix(stream) => stream.take_error(),
        };
        error.ok().flatten().map(|error| error.kind())
    }

    fn socket(&self) -> Option<&Socket> {
        Some(self)
    }
}

/// Calls the same method of whichever socket it is.
macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Socket::Tcp($stream) => $call,
            Socket::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, s => Pin::new(s).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, s => Pin::new(s).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, s => Pin::new(s).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, s => Pin::new(s).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::from(dialled), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_tcp_socket_is_tuned() {
        let (socket, _peer) = pair().await;
        let Socket::Tcp(stream) = &socket else { unreachable!() };
        assert!(stream.nodelay().unwrap());
        let options = SockRef::from(stream);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), Duration::from_secs(15));
        assert_eq!(options.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
        assert_eq!(options.tcp_keepalive_retries().unwrap(), 9);
    }

    #[tokio::test]
    async fn a_reset_is_not_an_orderly_end() {
        let (mut socket, mut peer) = pair().await;
        socket.reset_on_drop();
        drop(socket);
        let error = peer.read(&mut [0]).await.expect_err("a reset, not an end of file");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_watched_socket_fails_on_reset_but_not_on_fin() {
        let (socket, peer) = pair().await;
        drop(peer); // FIN
        let silent = tokio::time::timeout(Duration::from_millis(50), socket.failed()).await;
        assert!(silent.is_err(), "an orderly end is no failure");

        let (socket, peer) = pair().await;
        peer.set_zero_linger().unwrap();
        drop(peer); // RST
        tokio::time::timeout(Duration::from_secs(5), socket.failed()).await.expect("the reset is seen");
        assert_eq!(socket.take_error(), Some(io::ErrorKind::ConnectionReset));
        assert_eq!(socket.take_error(), None, "it is told once");
    }
}
