//! The stream of a connection, watched for what tells whether a request could be lost.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// A stream that tells an [`Activity`] what comes.
///
/// hyper reads on after a head, before it asks for the answer, unless it has read more than the head
/// already. So when the answer is made, it is known whether anything follows the head that it is for.
pub(super) struct Watched<'a, S> {
    stream: S,
    activity: &'a Activity,
    /// The peer has shut down its half.
    ended: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + AsFd + Unpin> Watched<'a, S> {
    pub(super) fn new(stream: S, activity: &'a Activity) -> Self {
        Self { stream, activity, ended: false }
    }

    /// The stream, unless the peer sends no more anyway.
    pub(super) fn unless_ended(self) -> Option<S> {
        (!self.ended).then_some(self.stream)
    }

    /// What tokio knows of a socket may be older than the bytes in it.
    fn ask_kernel(&self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match rustix::io::read(&self.stream, buf.initialize_unfilled()) {
            Ok(count) => {
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
            Err(Errno::AGAIN | Errno::INTR) => Poll::Pending,
            Err(errno) => Poll::Ready(Err(errno.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + AsFd + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut result = Poll::Ready(Ok(()));
        if !self.ended {
            result = Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        if result.is_pending() && self.activity.is_retiring() {
            result = self.ask_kernel(buf);
        }
        match &result {
            Poll::Ready(Ok(())) if buf.filled().len() > before => self.activity.hears(),
            Poll::Ready(Ok(())) => {
                self.ended = true;
                self.activity.hears_nothing();
                if self.activity.is_answering() {
                    // hyper drops a request whose caller has shut down its half. It still gets its answer, and
                    // hyper is woken to read again after that.
                    return Poll::Pending;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.hears_nothing(),
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + AsFd + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if result.is_ready() && self.activity.has_answered() && self.ended {
            cx.waker().wake_by_ref();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use tokio::io::AsyncReadExt;
    use tokio::time::Instant;

    use super::*;

    fn watched(activity: &Activity) -> (Watched<'_, tokio::net::UnixStream>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (Watched::new(tokio::net::UnixStream::from_std(near).unwrap(), activity), far)
    }

    /// One read, while nobody else runs.
    async fn look(watched: &mut Watched<'_, tokio::net::UnixStream>) -> Poll<usize> {
        let mut bytes = [0; 100];
        let mut buf = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *watched).poll_read(cx, &mut buf))).await;
        read.map(|result| result.map(|()| buf.filled().len()).unwrap())
    }

    #[tokio::test]
    async fn bytes_that_tokio_has_not_heard_of_are_found_when_it_matters() {
        for retiring in [false, true] {
            let activity = Activity::new();
            let (mut watched, mut far) = watched(&activity);
            far.write_all(b"one").unwrap();
            assert_eq!(watched.read(&mut [0; 100]).await.unwrap(), 3);
            activity.asks(Instant::now());
            if retiring {
                activity.retire();
            }
            far.write_all(b"another").unwrap();
            let found = look(&mut watched).await;
            assert_eq!(found, if retiring { Poll::Ready(7) } else { Poll::Pending });
            assert!(!activity.is_last(), "retiring: {retiring}");
        }
    }

    #[tokio::test]
    async fn the_last_request_is_the_one_after_which_there_is_nothing() {
        let activity = Activity::new();
        let (mut watched, mut far) = watched(&activity);
        activity.retire();
        activity.asks(Instant::now());
        assert!(!activity.is_last(), "nobody has looked");
        assert_eq!(look(&mut watched).await, Poll::Pending);
        assert!(activity.is_last());
        far.write_all(b"more").unwrap();
        assert_eq!(look(&mut watched).await, Poll::Ready(4));
        assert!(!activity.is_last());
        activity.has_answered();
        activity.asks(Instant::now());
        drop(far);
        assert_eq!(look(&mut watched).await, Poll::Pending, "the end waits for the answer");
        assert!(activity.is_last());
        activity.has_answered();
        assert_eq!(look(&mut watched).await, Poll::Ready(0));
    }
}
