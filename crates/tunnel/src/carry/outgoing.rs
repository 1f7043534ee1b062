//! From the local socket to the WebSocket: one read, one frame, one write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relay::{Buffer, Leg, Moved, Size, Why};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::frame::{HEAD_ROOM, Opcode, Role, encode_control, put_header};

/// What is being written, and what is owed next. Bounded: one data frame in progress, one control frame
/// in progress, one owed pong (the latest), one ping, one Close.
pub(super) struct Outgoing {
    role: Role,
    source: Source,
    /// The frame in progress: `frame[at..end]` is unwritten.
    frame: Option<Buffer>,
    at: usize,
    end: usize,
    size: Size,
    /// The control frame in progress, unwritten from `control_at`.
    control: Vec<u8>,
    control_at: usize,
    owed: Owed,
    closing: bool,
    close_sent_at: Option<Instant>,
    /// When the last ping went out, while it is unanswered.
    ping_sent_at: Option<Instant>,
    unflushed: bool,
    /// How a write failed: the WebSocket takes no more. What the peer sent is still to be read.
    broken: Option<io::ErrorKind>,
    /// Payload bytes written.
    pub(super) moved: Moved,
    /// When payload was last written.
    pub(super) last_moved: Instant,
}

/// The local socket, as a source.
enum Source {
    Open,
    /// Not read any more, though it has not ended.
    Left,
    Ended(Instant),
    Failed(Why),
}

#[derive(Default)]
struct Owed {
    pong: Option<Vec<u8>>,
    ping: bool,
    close: Option<u16>,
}

impl Outgoing {
    pub(super) fn new(role: Role, moved: Moved, now: Instant) -> Self {
        Self {
            role,
            source: Source::Open,
            frame: None,
            at: 0,
            end: 0,
            size: Size::default(),
            control: Vec::new(),
            control_at: 0,
            owed: Owed::default(),
            closing: false,
            close_sent_at: None,
            ping_sent_at: None,
            unflushed: false,
            broken: None,
            moved,
            last_moved: now,
        }
    }

    /// Does one thing: a write, a flush or a read. Pending when it can do none now. `see` is shown the
    /// payload that was read.
    #[inline] // into the loop of a tunnel: what it does is less than a call's worth of moves
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut impl Leg,
        wire: &mut impl Leg,
        now: Instant,
        see: impl FnMut(&[u8]),
    ) -> Poll<()> {
        if self.is_broken() {
            return Poll::Pending;
        }
        if self.frame.is_some() {
            return self.write_frame(cx, wire, now);
        }
        if self.control.is_empty() {
            self.start_control(now);
        }
        if !self.control.is_empty() {
            return self.write_control(cx, wire, now);
        }
        if self.unflushed {
            let flushed = ready!(Pin::new(wire).poll_flush(cx));
            self.unflushed = false;
            return self.checked(flushed);
        }
        match self.source {
            Source::Open => self.read(cx, local, now, see),
            _ => Poll::Pending,
        }
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut impl Leg,
        now: Instant,
        mut see: impl FnMut(&[u8]),
    ) -> Poll<()> {
        let mut frame = Buffer::take(self.size);
        let room = frame.len() - HEAD_ROOM;
        let mut into = ReadBuf::new(&mut frame[HEAD_ROOM..]);
        let result = ready!(Pin::new(local).poll_read(cx, &mut into));
        let got = into.filled().len();
        match result {
            Err(error) => self.source = Source::Failed(error.into()),
            Ok(()) if got == 0 => self.source = Source::Ended(now),
            Ok(()) => {
                see(&frame[HEAD_ROOM..HEAD_ROOM + got]);
                self.size = self.size.after(got, room);
                self.at = put_header(&mut frame, got, Opcode::Binary, self.role);
                self.end = HEAD_ROOM + got;
                self.frame = Some(frame);
            }
        }
        Poll::Ready(())
    }

    fn write_frame(&mut self, cx: &mut Context<'_>, wire: &mut impl Leg, now: Instant) -> Poll<()> {
        let Some(frame) = &self.frame else { return Poll::Ready(()) };
        let written = ready!(Pin::new(wire).poll_write(cx, &frame[self.at..self.end]));
        let result = written.and_then(nonzero).map(|n| {
            let payload_from = self.at.max(HEAD_ROOM);
            self.at += n;
            self.moved.add(self.at.saturating_sub(payload_from));
            self.last_moved = now;
            self.unflushed = true;
            if self.at == self.end {
                self.frame = None;
            }
        });
        self.checked(result)
    }

    /// Takes what is owed next into progress. After our Close nothing more is said.
    fn start_control(&mut self, now: Instant) {
        if self.closing {
            return;
        }
        self.control_at = 0;
        if let Some(payload) = self.owed.pong.take() {
            self.control = encode_control(Opcode::Pong, &payload, self.role);
        } else if let Some(code) = self.owed.close {
            self.closing = true;
            self.control = encode_control(Opcode::Close, &code.to_be_bytes(), self.role);
        } else if std::mem::take(&mut self.owed.ping) {
            self.control = encode_control(Opcode::Ping, b"", self.role);
            self.ping_sent_at = Some(now);
        }
    }

    fn write_control(&mut self, cx: &mut Context<'_>, wire: &mut impl Leg, now: Instant) -> Poll<()> {
        let written = ready!(Pin::new(wire).poll_write(cx, &self.control[self.control_at..]));
        let result = written.and_then(nonzero).map(|n| {
            self.control_at += n;
            self.unflushed = true;
            if self.control_at == self.control.len() {
                self.control = Vec::new();
                self.close_sent_at = self.closing.then_some(now);
            }
        });
        self.checked(result)
    }

    /// A failed write breaks this direction only; the other one finds out what became of the peer.
    fn checked(&mut self, result: io::Result<()>) -> Poll<()> {
        if let Err(error) = result {
            self.broken = Some(error.kind());
            self.frame = None;
            self.control = Vec::new();
        }
        Poll::Ready(())
    }

    pub(super) fn owe_pong(&mut self, payload: Vec<u8>) {
        self.owed.pong = Some(payload);
    }

    pub(super) fn owe_ping(&mut self) {
        self.owed.ping = true;
    }

    /// When the ping went out that is answered now; a pong that nobody asked for answers none.
    pub(super) fn answer_ping(&mut self) -> Option<Instant> {
        self.ping_sent_at.take()
    }

    pub(super) fn owe_close(&mut self, code: u16) {
        self.owed.close.get_or_insert(code);
    }

    /// Leaves the local socket unread from now on.
    pub(super) fn stop_reading(&mut self) {
        if matches!(self.source, Source::Open) {
            self.source = Source::Left;
        }
    }

    /// When the local socket ended, once all of what it sent is written.
    pub(super) fn finished(&self) -> Option<Instant> {
        match self.source {
            Source::Ended(at) if self.is_broken() || self.frame.is_none() && !self.unflushed => Some(at),
            _ => None,
        }
    }

    pub(super) fn source_failed(&self) -> Option<Why> {
        match &self.source {
            Source::Failed(why) => Some(why.clone()),
            _ => None,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn write_error(&self) -> Option<io::ErrorKind> {
        self.broken
    }

    /// Whether something is waiting for the WebSocket to take it.
    pub(super) fn is_blocked(&self) -> bool {
        self.frame.is_some() || !self.control.is_empty()
    }

    pub(super) fn close_sent_at(&self) -> Option<Instant> {
        self.close_sent_at
    }
}

fn nonzero(n: usize) -> io::Result<usize> {
    if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) }
}
