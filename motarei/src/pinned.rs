//! `--old-idle-close`: a connection on which nothing moves must not keep an old container alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use relay::{Leg, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::routes::{Candidate, Routes};

/// When something last moved.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    begun: Instant,
    /// In milliseconds since then.
    last: Arc<AtomicU64>,
}

impl Activity {
    fn now(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// A client's socket that remembers when something last moved through it, in either direction.
#[derive(Debug)]
pub(crate) struct Watched {
    socket: Socket,
    activity: Activity,
}

impl Watched {
    pub(crate) fn new(socket: Socket) -> (Self, Activity) {
        let activity = Activity { begun: Instant::now(), last: Arc::default() };
        (Self { socket, activity: activity.clone() }, activity)
    }

    fn noting<T>(self: Pin<&mut Self>, poll: impl FnOnce(Pin<&mut Socket>) -> Poll<T>) -> Poll<T> {
        let this = self.get_mut();
        let polled = poll(Pin::new(&mut this.socket));
        if polled.is_ready() {
            this.activity.now();
        }
        polled
    }
}

impl Leg for Watched {
    fn reset_on_drop(&mut self) {
        self.socket.reset_on_drop();
    }

    fn take_error(&self) -> Option<io::ErrorKind> {
        self.socket.take_error()
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.noting(|socket| socket.poll_read(cx, buf))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.noting(|socket| socket.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// Resolves when new connections go elsewhere and nothing has moved on this one for `idle`.
pub(crate) async fn watch_pinned(
    mut routes: watch::Receiver<Arc<Routes>>,
    place: &str,
    to: &Candidate,
    activity: Activity,
    idle: Duration,
) {
    loop {
        let elsewhere =
            |routes: &Arc<Routes>| routes.at(place).first().is_some_and(|first| first.id != to.id);
        if routes.wait_for(elsewhere).await.is_err() {
            return std::future::pending().await;
        }
        let due = activity.last() + idle;
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Path;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    fn candidate(id: &str, epoch: u64) -> Candidate {
        let address = "127.0.0.1:1".parse().unwrap();
        let (path, drain, open) = (Path::Container, Duration::ZERO, Arc::default());
        Candidate { id: id.into(), name: id.into(), port: 1, epoch, address, path, drain, open }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_silent_connection_to_an_old_container_is_closed() {
        let to = |id: &str, epoch| Arc::new(Routes([(":80".to_owned(), vec![candidate(id, epoch)])].into()));
        let (sender, routes) = watch::channel(to("old", 1));
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut watched, activity) = Watched::new(Socket::from(ours));
        let idle = Duration::from_secs(60);
        let pinned =
            tokio::spawn(
                async move { watch_pinned(routes, ":80", &candidate("old", 1), activity, idle).await },
            );
        let seconds = |n| tokio::time::sleep(Duration::from_secs(n));

        seconds(3600).await;
        assert!(!pinned.is_finished(), "idle, but of the container that is routed");
        theirs.write_all(b"x").await.unwrap();
        watched.read_exact(&mut [0]).await.unwrap();
        sender.send(to("new", 2)).unwrap();
        seconds(50).await;
        assert!(!pinned.is_finished(), "something moved 50 s ago");
        watched.write_all(b"x").await.unwrap();
        seconds(50).await;
        assert!(!pinned.is_finished(), "and 50 s ago the other way");
        seconds(11).await;
        assert!(pinned.is_finished());
    }
}
