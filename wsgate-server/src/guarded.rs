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

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::stream::Stream;

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

/// A connection under deadlines. A wait that is over its deadline fails with `TimedOut`.
pub(crate) struct Guarded {
    stream: Stream,
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
    /// The first head is complete by `due`; what came before it on the connection has taken its part.
    pub(crate) fn new(
        stream: Stream,
        progress: Progress,
        deadlines: Deadlines,
        due: Option<Instant>,
    ) -> Self {
        let reading = Deadline::at(due);
        Self {
            stream,
            progress,
            deadlines,
            reading,
            writing: Deadline::off(),
            phase: UNTOUCHED,
            ahead: false,
            ended: false,
        }
    }

    /// The bare stream, when the connection no longer speaks HTTP.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream
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
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
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
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
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

    fn at(due: Option<Instant>) -> Self {
        let timer = due.map(|due| Box::pin(tokio::time::sleep_until(due)));
        Self { on: timer.is_some(), timer }
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
mod tests;
