//! One direction: what it holds, and the one thing that it does next.

use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::ReadBuf;

use crate::{Buffer, Leg, Size, Why};

/// What a step found broken.
pub(super) enum Broken {
    /// The source failed: the connection is over.
    Source(Why),
    /// The sink takes no more. What it has sent, and its end, are still to be carried the other way.
    Sink,
}

/// A step that was done, or pending.
type Step = Poll<Option<Broken>>;

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
pub(super) struct Flow {
    state: State,
    buffer: Option<Buffer>,
    /// What the buffer holds unwritten: `start..end`.
    start: usize,
    end: usize,
    size: Size,
    /// Payload bytes that the sink took.
    pub(super) moved: u64,
    /// How a write failed: the sink takes no more.
    pub(super) sink_error: Option<ErrorKind>,
    /// When the source's end of file came.
    pub(super) ended_at: Option<Instant>,
}

impl Flow {
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether a failure of the source would be found by reading it.
    pub(super) fn is_reading(&self) -> bool {
        self.state == State::Open && self.buffer.is_none()
    }

    /// How `source` has failed, if it is not read and has. When its stream is complete, that it failed is
    /// what a write would be told: it takes no more of `back`, the other direction.
    pub(super) fn failure_of(&self, source: &impl Leg, back: &mut Flow) -> Option<ErrorKind> {
        let complete = self.state != State::Open;
        if self.is_reading() || complete && back.is_over() {
            return None;
        }
        let kind = source.take_error()?;
        if complete {
            back.sink_broke(kind);
        }
        (!complete).then_some(kind)
    }

    /// Does one thing: a read, a write or a shutdown. Pending when it can do none now, or never again.
    /// `source_error` is how the other direction's write to the source failed.
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        sink: &mut impl Leg,
        source_error: Option<ErrorKind>,
    ) -> Step {
        match self.state {
            State::Over => Poll::Pending,
            State::Ending => {
                // A failed shutdown means that the sink is gone, which its own direction finds out.
                let _ = ready!(Pin::new(sink).poll_shutdown(cx));
                self.state = State::Over;
                Poll::Ready(None)
            }
            State::Open if self.buffer.is_some() => self.write(cx, sink),
            State::Open => self.read(cx, source, source_error),
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, source: &mut impl Leg, source_error: Option<ErrorKind>) -> Step {
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

    fn write(&mut self, cx: &mut Context<'_>, sink: &mut impl Leg) -> Step {
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
                self.sink_broke(failed.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero));
                Poll::Ready(Some(Broken::Sink))
            }
        }
    }

    fn sink_broke(&mut self, kind: ErrorKind) {
        self.buffer = None;
        self.sink_error = Some(kind);
        self.state = State::Over;
    }
}
