//! Carrying a WebSocket whose bytes only we can read to the process that has its session.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use relay::{Leg, Meter, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// When the other process has let go, what it had still to say gets so long to be written.
const LAST: Duration = Duration::from_secs(10);

/// Carries bytes between `client` and the process at `there` until both have ended, or `stop`. What is carried
/// is counted there.
pub(crate) async fn bridge(client: impl Leg, there: Socket, stop: &CancellationToken) {
    let gone = CancellationToken::new();
    let there = There { socket: there, gone: gone.clone() };
    let meter = Meter::default();
    let let_go = async {
        gone.cancelled().await;
        sleep(LAST).await;
    };
    tokio::select! {
        _ = relay::copy(client, there, &meter, stop) => {}
        () = let_go => {}
    }
}

/// The end of the other process, which tells when it has ended: a client need not.
struct There {
    socket: Socket,
    gone: CancellationToken,
}

impl Leg for There {
    fn reset_on_drop(&mut self) {
        self.socket.reset_on_drop();
    }

    fn take_error(&self) -> Option<io::ErrorKind> {
        self.socket.take_error()
    }
}

impl AsyncRead for There {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf));
        if read.is_err() || buf.filled().len() == before {
            self.gone.cancel();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for There {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_go_is_left_soon_after_the_session() {
        let (mut client, near) = UnixStream::pair().unwrap();
        let (far, mut session) = UnixStream::pair().unwrap();
        let stop = CancellationToken::new();
        let carried = tokio::spawn(async move { bridge(Socket::from(near), far.into(), &stop).await });
        client.write_all(b"there").await.unwrap();
        let mut got = [0; 5];
        session.read_exact(&mut got).await.unwrap();
        session.write_all(b"last words").await.unwrap();
        drop(session);
        carried.await.unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!((&got, &heard[..]), (b"there", &b"last words"[..]));
    }
}
