//! Both directions of a connection, in one task, until both are over.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::ReadBuf;
use tokio_util::sync::CancellationToken;

use crate::{Buffer, Ended, Leg, Side, Size, Why};

/// Carries bytes both ways until both directions have ended, one of the sockets fails, or `stop` is
/// cancelled.
///
/// An end of file in one direction shuts down the other side's write half and nothing else (half-close).
/// A failure of either side, and `stop`, reset both: a truncated stream must not look complete. While
/// nothing moves no buffer is held; while data moves, at most one of 256 KiB a direction.
pub async fn copy(mut client: impl Leg, mut backend: impl Leg, stop: &CancellationToken) -> Ended {
    let begun = Instant::now();
    let (mut up, mut down) = (Flow::default(), Flow::default());
    let (by, why) = {
        let mut stopped = pin!(stop.cancelled());
        poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready((Side::Here, Why::Stopped));
            }
            poll_both(cx, &mut up, &mut down, &mut client, &mut backend)
        })
        .await
    };
    if !why.is_orderly() {
        client.reset_on_drop();
        backend.reset_on_drop();
    }
    Ended { up: up.moved, down: down.moved, by, why, lasted: begun.elapsed() }
}

/// Lets the directions take turns, a step each, so that neither starves the other of the task's budget.
fn poll_both(
    cx: &mut Context<'_>,
    up: &mut Flow,
    down: &mut Flow,
    client: &mut impl Leg,
    backend: &mut impl Leg,
) -> Poll<(Side, Why)> {
    loop {
        let first = up.step(cx, client, backend, down.sink_error);
        if let Poll::Ready(Some(Broken::Source(why))) = first {
            return Poll::Ready((Side::Client, why));
        }
        let second = down.step(cx, backend, client, up.sink_error);
        if let Poll::Ready(Some(Broken::Source(why))) = second {
            return Poll::Ready((Side::Backend, why));
        }
        if up.state == State::Over && down.state == State::Over {
            return Poll::Ready(verdict(up, down));
        }
        if first.is_pending() && second.is_pending() {
            return Poll::Pending;
        }
    }
}

/// Both directions are over. A side that no longer took data has ended it (in order, since its own
/// stream was complete); otherwise the one whose end of file came first has.
fn verdict(up: &Flow, down: &Flow) -> (Side, Why) {
    let by = match (up.sink_error.is_some(), down.sink_error.is_some()) {
        (true, _) => Side::Backend,
        (false, true) => Side::Client,
        (false, false) if up.ended_at <= down.ended_at => Side::Client,
        (false, false) => Side::Backend,
    };
    (by, Why::Eof)
}

/// What a step found broken.
enum Broken {
    /// The source failed: the connection is over.
    Source(Why),
    /// The sink takes no more. What it has sent, and its end, are still to be carried the other way.
    Sink,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The source has ended; the sink's write half is to be shut down.
    Ending,
    Over,
}

/// One direction.
#[derive(Default)]
struct Flow {
    state: State,
    buffer: Option<Buffer>,
    /// What the buffer holds unwritten: `start..end`.
    start: usize,
    end: usize,
    size: Size,
    moved: u64,
    /// How a write failed: the sink takes no more.
    sink_error: Option<ErrorKind>,
    ended_at: Option<Instant>,
}

impl Flow {
    /// Does one thing: a read, a write or a shutdown. Pending when it can do none now, or never again.
    /// `source_error` is how the other direction's write to the source failed.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        sink: &mut impl Leg,
        source_error: Option<ErrorKind>,
    ) -> Poll<Option<Broken>> {
        match self.state {
            State::Over => Poll::Pending,
            State::Ending => {
                // A failed shutdown means that the sink is gone, which its own direction finds out.
                let _ = ready!(Pin::new(sink).poll_shutdown(cx));
                self.state = State::Over;
                Poll::Ready(None)
            }
            State::Open if self.buffer.is_some() && self.start < self.end => self.write(cx, sink),
            State::Open => self.read(cx, source, source_error),
        }
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        source_error: Option<ErrorKind>,
    ) -> Poll<Option<Broken>> {
        let mut buffer = Buffer::take(self.size);
        let mut into = ReadBuf::new(&mut buffer);
        let result = ready!(Pin::new(source).poll_read(cx, &mut into));
        let got = into.filled().len();
        if let Err(error) = result {
            return Poll::Ready(Some(Broken::Source(error.into())));
        }
        if got == 0 {
            let why = Why::of_eof_after(source_error);
            if !why.is_orderly() {
                return Poll::Ready(Some(Broken::Source(why)));
            }
            self.ended_at = Some(Instant::now());
            self.state = State::Ending;
        } else {
            self.size = self.size.after(got, buffer.len());
            (self.start, self.end) = (0, got);
            self.buffer = Some(buffer);
        }
        Poll::Ready(None)
    }

    fn write(&mut self, cx: &mut Context<'_>, sink: &mut impl Leg) -> Poll<Option<Broken>> {
        let Some(buffer) = &self.buffer else { return Poll::Ready(None) };
        match ready!(Pin::new(sink).poll_write(cx, &buffer[self.start..self.end])) {
            Ok(n) if n > 0 => {
                self.moved += n as u64;
                self.start += n;
                if self.start == self.end {
                    self.buffer = None;
                }
                Poll::Ready(None)
            }
            failed => {
                self.buffer = None;
                self.sink_error = Some(failed.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero));
                self.state = State::Over;
                Poll::Ready(Some(Broken::Sink))
            }
        }
    }
}

#[cfg(test)]
mod tests;
