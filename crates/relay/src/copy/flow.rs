//! One direction: what it holds, and the one thing that it does next.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::ReadBuf;

use super::burst::Burst;
use super::pipe::{CAPACITY, is_refusal};
use super::pool::{Lent, Pool};
use crate::{Buffer, Leg, Moved, Size, Socket, Why};

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

/// One direction. What came from the source is in the buffer or in the pipe, never in both, until the pipe
/// has to be emptied through the buffer.
pub(super) struct Flow {
    state: State,
    buffer: Option<Buffer>,
    /// What the buffer holds unwritten: `start..end`.
    start: usize,
    end: usize,
    size: Size,
    burst: Burst,
    pool: &'static Pool,
    /// Held only with bytes in it; they come after those in the buffer.
    pipe: Option<Lent>,
    /// Payload bytes that the sink took.
    pub(super) moved: Moved,
    /// How a write failed: the sink takes no more.
    pub(super) sink_error: Option<ErrorKind>,
    /// When the source's end of file came.
    pub(super) ended_at: Option<Instant>,
}

impl Flow {
    /// A direction that splices with pipes of `pool`, and is counted by `moved`.
    pub(super) fn new(pool: &'static Pool, moved: Moved) -> Self {
        Self {
            state: State::default(),
            buffer: None,
            start: 0,
            end: 0,
            size: Size::default(),
            burst: Burst::new(),
            pool,
            pipe: None,
            moved,
            sink_error: None,
            ended_at: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether a failure of the source would be found by reading it.
    pub(super) fn is_reading(&self) -> bool {
        self.state == State::Open && self.buffer.is_none() && self.pipe.is_none()
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
            State::Open => self.carry(cx, source, sink, source_error),
        }
    }

    fn carry(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        sink: &mut impl Leg,
        source_error: Option<ErrorKind>,
    ) -> Step {
        if self.buffer.is_some() {
            return self.write(cx, sink);
        }
        match (source.socket(), sink.socket()) {
            (_, Some(sink)) if self.pipe.is_some() => self.drain(cx, sink),
            (Some(source), Some(_)) if self.burst.is_bulk() => self.fill(cx, source),
            _ => self.read(cx, source, source_error),
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
            self.burst.came(got, buffer.len());
            self.hold(buffer, got);
        }
        Poll::Ready(None)
    }

    fn hold(&mut self, buffer: Buffer, len: usize) {
        (self.start, self.end) = (0, len);
        self.buffer = Some(buffer);
    }

    fn write(&mut self, cx: &mut Context<'_>, sink: &mut impl Leg) -> Step {
        let Some(buffer) = &self.buffer else { return Poll::Ready(None) };
        match ready!(Pin::new(sink).poll_write(cx, &buffer[self.start..self.end])) {
            Ok(n) if n > 0 => {
                self.moved.add(n);
                self.start += n;
                if self.start == self.end {
                    self.buffer = None;
                }
                Poll::Ready(None)
            }
            failed => self.write_failed(failed),
        }
    }

    /// Takes a pipe and fills it. When that is not possible the next step reads, and finds out why: an end
    /// of file is told by a read only.
    fn fill(&mut self, cx: &mut Context<'_>, source: &Socket) -> Step {
        let Some(mut pipe) = self.pool.take() else {
            self.burst.refused();
            return Poll::Ready(None);
        };
        match ready!(pipe.poll_fill(cx, source)) {
            Ok(0) => self.burst.refused(),
            Ok(n) => {
                self.burst.came(n, CAPACITY);
                self.pipe = Some(pipe);
            }
            Err(error) if is_refusal(&error) => self.burst.refused(),
            Err(error) => return Poll::Ready(Some(Broken::Source(error.into()))),
        }
        Poll::Ready(None)
    }

    fn drain(&mut self, cx: &mut Context<'_>, sink: &Socket) -> Step {
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(None) };
        match ready!(pipe.poll_drain(cx, sink)) {
            Ok(n) if n > 0 => {
                self.moved.add(n);
                self.pipe.take_if(|pipe| pipe.is_empty());
                Poll::Ready(None)
            }
            Err(error) if is_refusal(&error) => self.spill(),
            failed => self.write_failed(failed),
        }
    }

    /// Takes what the pipe holds back into user space, a buffer at a time, since the sink cannot be
    /// spliced to.
    fn spill(&mut self) -> Step {
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(None) };
        let mut buffer = Buffer::take(Size::Large);
        match pipe.read(&mut buffer) {
            Ok(got) => {
                self.pipe.take_if(|pipe| pipe.is_empty());
                self.burst.refused();
                self.hold(buffer, got);
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Broken::Source(error.into()))),
        }
    }

    fn write_failed(&mut self, failed: io::Result<usize>) -> Step {
        self.sink_broke(failed.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero));
        Poll::Ready(Some(Broken::Sink))
    }

    fn sink_broke(&mut self, kind: ErrorKind) {
        (self.buffer, self.pipe) = (None, None);
        self.sink_error = Some(kind);
        self.state = State::Over;
    }
}
