//! An accepted connection while it speaks HTTP: every wait for the peer has a deadline.
//!
//! hyper's own header time-out also runs while a kept connection is idle, and a balancer keeps its
//! connections for ten minutes. So the deadlines are here: for a head, from accept or from the first byte
//! of each later head; for an idle kept connection; for a write that the peer does not take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use relay::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a kept connection may be idle. Balancers reuse theirs for up to 600 s, and one that closes
/// first never sees a request lost to a closing server.
const KEEP_ALIVE: Duration = Duration::from_secs(650);

/// Where a connection stands between requests; written by the service, read by the socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

/// Accepted, and nothing read yet.
const UNTOUCHED: u8 = 0;
const HEAD: u8 = 1;
const ANSWERING: u8 = 2;
const DIALLING: u8 = 3;
const IDLE: u8 = 4;

impl Progress {
    /// Whether nothing has been read since accept.
    pub(crate) fn is_untouched(&self) -> bool {
        self.0.load(Ordering::Relaxed) == UNTOUCHED
    }

    /// Whether the connection is kept, and nothing of a next request has come.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IDLE
    }

    /// A whole head has arrived.
    pub(crate) fn answering(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    /// The answer waits for a destination: a caller that leaves now ends that.
    pub(crate) fn dialling(&self) {
        self.0.store(DIALLING, Ordering::Relaxed);
    }

    /// The answer is made; the next head may come or not.
    pub(crate) fn idle(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }
}

/// What bounds the waits; `None` is no bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) head: Option<Duration>,
    pub(crate) write: Option<Duration>,
}

/// A socket under deadlines. A wait that is over its deadline fails with `TimedOut`.
pub(crate) struct Guarded {
    socket: Socket,
    progress: Progress,
    deadlines: Deadlines,
    reading: Deadline,
    writing: Deadline,
    /// The phase that `reading` was set for.
    phase: u8,
    /// Part of the next head came while the last request was being answered.
    ahead: bool,
    /// The caller's end of file came while its request was being answered.
    ended: bool,
}

impl Guarded {
    pub(crate) fn new(socket: Socket, progress: Progress, deadlines: Deadlines) -> Self {
        let reading = Deadline::after(deadlines.head);
        Self {
            socket,
            progress,
            deadlines,
            reading,
            writing: Deadline::off(),
            phase: UNTOUCHED,
            ahead: false,
            ended: false,
        }
    }

    /// The bare socket, when the connection no longer speaks HTTP.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Moves the deadline for reading when the service has moved on.
    fn follow(&mut self) {
        let phase = self.progress.0.load(Ordering::Relaxed);
        if phase == self.phase {
            return;
        }
        self.phase = phase;
        match phase {
            IDLE if self.ahead => self.head_begins(),
            IDLE => self.reading.set(Some(KEEP_ALIVE)),
            _ => self.reading.set(None),
        }
    }

    fn head_begins(&mut self) {
        self.phase = HEAD;
        self.ahead = false;
        self.progress.0.store(HEAD, Ordering::Relaxed);
        self.reading.set(self.deadlines.head);
    }

    /// A write's result; while it is pending the deadline for writing runs.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.writing.set(None);
            return result;
        }
        self.writing.run(self.deadlines.write);
        if self.writing.passed(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { result }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.follow();
        if self.ended {
            // hyper drops a request whose caller has shut down its half. It still gets its answer.
            return if self.phase == ANSWERING { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) && buf.filled().len() == before && self.phase == ANSWERING {
            self.ended = true;
            return Poll::Pending; // the answer is on its way, and hyper reads again after it
        }
        if result.is_pending() && self.reading.passed(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if buf.filled().len() > before {
            match self.phase {
                UNTOUCHED => {
                    self.phase = HEAD; // the deadline runs from accept
                    self.progress.0.store(HEAD, Ordering::Relaxed);
                }
                IDLE => self.head_begins(),
                ANSWERING => self.ahead = true,
                _ => {}
            }
        }
        result
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.written(cx, result)
    }
}

/// A timer that may be off.
struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    on: bool,
}

impl Deadline {
    fn off() -> Self {
        Self { timer: None, on: false }
    }

    fn after(time: Option<Duration>) -> Self {
        let mut deadline = Self::off();
        deadline.set(time);
        deadline
    }

    /// Starts it anew, or turns it off.
    fn set(&mut self, time: Option<Duration>) {
        self.on = time.is_some();
        let Some(time) = time else { return };
        let due = Instant::now() + time;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(due),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(due))),
        }
    }

    /// Starts it unless it runs.
    fn run(&mut self, time: Option<Duration>) {
        if !self.on {
            self.set(time);
        }
    }

    fn passed(&mut self, cx: &mut Context<'_>) -> bool {
        self.on && self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    const DEADLINES: Deadlines =
        Deadlines { head: Some(Duration::from_secs(10)), write: Some(Duration::from_secs(5)) };

    fn guarded() -> (Guarded, UnixStream, Progress) {
        let (near, far) = UnixStream::pair().unwrap();
        let progress = Progress::default();
        (Guarded::new(near.into(), progress.clone(), DEADLINES), far, progress)
    }

    async fn read(guarded: &mut Guarded) -> io::Result<usize> {
        guarded.read(&mut [0; 100]).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_in_is_cut_at_its_deadline() {
        let (mut guarded, mut far, _) = guarded();
        let begun = Instant::now();
        let error = loop {
            far.write_all(b"G").await.unwrap();
            read(&mut guarded).await.unwrap();
            // A second passes without another byte, or the deadline.
            match tokio::time::timeout(Duration::from_millis(990), read(&mut guarded)).await {
                Ok(result) => break result.unwrap_err(),
                Err(_) => assert!(begun.elapsed() < Duration::from_secs(11), "it goes on for ever"),
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_its_time_and_a_kept_connection_may_idle() {
        let (mut guarded, mut far, progress) = guarded();
        far.write_all(b"GET /").await.unwrap();
        read(&mut guarded).await.unwrap();
        progress.answering();
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, read(&mut guarded)).await.is_err(), "answering has no deadline");
        progress.idle();
        let begun = Instant::now();
        let error = read(&mut guarded).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, KEEP_ALIVE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_has_shut_down_its_half_is_answered_but_not_dialled_for() {
        let long = Duration::from_secs(60);
        for dialling in [false, true] {
            let (mut guarded, mut far, progress) = guarded();
            far.write_all(b"GET /").await.unwrap();
            read(&mut guarded).await.unwrap();
            progress.answering();
            if dialling {
                progress.dialling();
            }
            far.shutdown().await.unwrap();
            let seen = tokio::time::timeout(long, read(&mut guarded)).await;
            assert_eq!(seen.is_ok(), dialling, "the end is seen at once when it matters");
            progress.idle();
            assert_eq!(read(&mut guarded).await.unwrap(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_has_its_own_deadline_from_its_first_byte() {
        for ahead in [false, true] {
            let (mut guarded, mut far, progress) = guarded();
            progress.answering();
            if ahead {
                far.write_all(b"GET").await.unwrap();
                read(&mut guarded).await.unwrap();
                progress.idle();
            } else {
                progress.idle();
                let idle = Duration::from_secs(600);
                assert!(tokio::time::timeout(idle, read(&mut guarded)).await.is_err());
                far.write_all(b"GET").await.unwrap();
                read(&mut guarded).await.unwrap();
            }
            let begun = Instant::now();
            assert_eq!(read(&mut guarded).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed().as_secs(), 10, "ahead: {ahead}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_is_not_taken_is_given_up() {
        let (mut guarded, far, _) = guarded();
        let begun = Instant::now();
        let error = guarded.write_all(&vec![0; 8 << 20]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 5));
        drop(far);
    }
}
