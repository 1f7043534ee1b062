//! One WebSocket of a session: its stream, its link, and what is being written to it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use relay::{Buffer, Leg, Size, Why};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

use super::local::Local;
use super::writing::Writing;
use crate::carry::Wire;
use crate::dialect2::link::{Link, Parted};
use crate::dialect2::session::Session;
use crate::dialect2::wire::DATA_ROOM;
use crate::frame::{Opcode, Role, encode_control};

/// How long a WebSocket that was taken over is given to hear of it.
const DISMISSAL: Duration = Duration::from_secs(2);

/// An upgraded connection that carries a session, until [`Carrier::over`](super::Carrier::over) says that it
/// is done with. Then it is dropped, which resets the connection unless both ends have said Close.
pub struct WebSocket<W> {
    link: Link,
    role: Role,
    stream: W,
    /// What came with the upgrade's head.
    early: Vec<u8>,
    /// Whether the stream has ended.
    ended: bool,
    /// How much is read at once.
    size: Size,
    writing: Option<Writing>,
    unflushed: bool,
    last_written: Instant,
    /// How a write failed: nothing more is written. What the peer sent is still to be read.
    broken: Option<ErrorKind>,
    /// In a hand-over: the WebSocket before this one.
    old: Option<Box<WebSocket<W>>>,
}

impl<W: Leg> WebSocket<W> {
    /// The WebSocket of a link that [`Session::new`], [`Session::resume`] or [`Session::resumed`] made, right
    /// after its upgrade.
    pub fn new(link: Link, wire: Wire<W>) -> Self {
        Self {
            link,
            role: wire.role,
            stream: wire.stream,
            early: wire.early,
            ended: false,
            size: Size::default(),
            writing: None,
            unflushed: false,
            last_written: Instant::now(),
            broken: None,
            old: None,
        }
    }

    /// Client, hand-over: the session has gone over from `old`, which still works and is written no more.
    /// It is read until the first frame comes on the new one.
    #[must_use]
    pub fn replacing(mut self, mut old: Self) -> Self {
        old.link.retire();
        old.writing = None;
        old.old = None;
        self.old = Some(Box::new(old));
        self
    }

    /// The state of the protocol: to [close](Link::close) it, to send the peer [away](Link::go_away), to
    /// [ping](Link::ping_now) now.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Server: another WebSocket has taken the session over. Says so with this Close code, unless that takes
    /// longer than 2 s; nothing that still comes is of interest.
    pub async fn dismiss(mut self, code: u16) {
        let told = self.broken.is_none() && matches!(timeout(DISMISSAL, self.say(code)).await, Ok(Ok(())));
        if !told {
            self.stream.reset_on_drop();
        }
    }

    /// Writes what is begun and a Close, and waits for the end of the peer.
    async fn say(&mut self, code: u16) -> io::Result<()> {
        if let Some(writing) = self.writing.take() {
            self.stream.write_all(writing.rest()).await?;
        }
        let close = encode_control(Opcode::Close, &code.to_be_bytes(), self.role);
        self.stream.write_all(&close).await?;
        self.stream.shutdown().await?;
        let mut scratch = [0; 1024];
        while self.stream.read(&mut scratch).await? > 0 {}
        Ok(())
    }
}

impl<W: Leg> WebSocket<W> {
    /// Time passes, for the one before this as well; which goes when this one is open.
    pub(super) fn tick(&mut self, session: &Session, now: Instant) {
        self.link.tick(session, now);
        if let Some(old) = &mut self.old {
            old.link.tick(session, now);
            if self.link.is_open() || old.link.parted(session, now).is_some() {
                self.old = None;
            }
        }
    }

    /// When time alone moves it on.
    pub(super) fn deadline(&self, session: &Session) -> Instant {
        let writes = self.writing.is_none() && self.broken.is_none();
        let ack = self.link.ack_deadline(session).filter(|_| writes);
        let old = self.old.as_ref().map(|old| old.link.deadline());
        ack.into_iter().chain(old).fold(self.link.deadline(), Instant::min)
    }

    /// When it last took a byte.
    pub(super) fn last_written(&self) -> Instant {
        self.last_written
    }

    /// Whether the peer has surely read our RESET: it has answered the Close behind it.
    pub(super) fn has_told_reset(&self) -> bool {
        self.link.has_sent_reset() && self.link.is_answered()
    }

    /// How it is done with, once it is and our Close is written and the stream shut down, if that is possible.
    pub(super) fn parted(&mut self, cx: &mut Context<'_>, session: &Session, now: Instant) -> Option<Parted> {
        let parted = self.link.parted(session, now)?;
        let said = self.link.is_answered() && self.broken.is_none();
        let written = self.writing.is_none() && !self.unflushed;
        let patient = !self.link.gives_up(now);
        if said && written {
            let shut = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
            return (shut || !patient).then_some(parted);
        }
        if said && patient {
            return None;
        }
        self.stream.reset_on_drop();
        Some(parted)
    }

    /// Reads once, and passes on what came; the old WebSocket likewise. Pending when nothing has come.
    pub(super) fn read<L: Leg>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        local: &mut Local<L>,
        now: Instant,
    ) -> Poll<()> {
        let old = self.old.as_mut().map_or(Poll::Pending, |old| old.read_own(cx, session, local, now));
        let own = self.read_own(cx, session, local, now);
        if old.is_ready() { old } else { own }
    }

    fn read_own<L: Leg>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        local: &mut Local<L>,
        now: Instant,
    ) -> Poll<()> {
        if self.ended {
            return Poll::Pending;
        }
        if !self.early.is_empty() {
            let mut early = std::mem::take(&mut self.early);
            local.take(cx, self.link.take(session, &mut early, now), now);
            return Poll::Ready(());
        }
        let mut chunk = Buffer::take(self.size);
        let mut into = ReadBuf::new(&mut chunk);
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into));
        let got = into.filled().len();
        match result {
            Ok(()) if got > 0 => {
                self.size = self.size.after(got, chunk.len());
                local.take(cx, self.link.take(session, &mut chunk[..got], now), now);
            }
            result => self.end_of_stream(result),
        }
        Poll::Ready(())
    }

    /// What the end of the stream means for the link. TLS reports an end without close_notify as an error.
    fn end_of_stream(&mut self, result: io::Result<()>) {
        self.ended = true;
        let failed = match result {
            Ok(()) => matches!(Why::of_eof_after(self.broken), Why::Failed(_)),
            Err(error) => error.kind() != ErrorKind::UnexpectedEof,
        };
        if failed { self.link.failed() } else { self.link.end_of_stream() }
    }

    /// Does one thing: a write, a flush, or a read of the local socket, one frame a read. Pending when it can
    /// do none now.
    pub(super) fn write<L: Leg>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        local: &mut Local<L>,
        now: Instant,
    ) -> Poll<()> {
        local.is_watched = false;
        if self.broken.is_some() {
            return Poll::Pending;
        }
        if self.writing.is_none() {
            self.writing = self.link.control(session, now).map(Writing::control);
        }
        if self.writing.is_some() {
            return self.write_on(cx, now);
        }
        if self.unflushed {
            let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
            self.unflushed = false;
            self.checked(flushed);
            return Poll::Ready(());
        }
        self.writing = match self.link.is_replaying(session) {
            true => self.replay(session, now),
            false => ready!(self.read_local(cx, session, local, now)),
        };
        Poll::Ready(())
    }

    fn write_on(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(writing) = &mut self.writing else { return Poll::Pending };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, writing.rest()));
        if let Ok(n @ 1..) = written {
            self.last_written = now;
            self.unflushed = true;
            if writing.wrote(n) {
                self.writing = None;
            }
        } else {
            self.checked(written.and(Err(ErrorKind::WriteZero.into())));
        }
        Poll::Ready(())
    }

    fn checked(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.broken = Some(error.kind());
            self.writing = None;
        }
    }

    /// The next frame of what was sent on an earlier WebSocket.
    fn replay(&mut self, session: &mut Session, now: Instant) -> Option<Writing> {
        let mut buffer = Buffer::take(Size::Large);
        let frame = self.link.replay(session, &mut buffer, now)?;
        Some(Writing::data(buffer, frame))
    }

    /// The next frame of what the local socket sends, if it sends; ready without one when it has ended.
    fn read_local<L: Leg>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        local: &mut Local<L>,
        now: Instant,
    ) -> Poll<Option<Writing>> {
        let room = self.link.room(session);
        if room == 0 || local.has_ended() {
            return Poll::Pending;
        }
        let mut buffer = Buffer::take(local.size);
        let got = ready!(local.read(cx, session, &mut buffer[DATA_ROOM..], room, now));
        let frame = (got > 0).then(|| self.link.data(session, &mut buffer, got, now));
        Poll::Ready(frame.map(|frame| Writing::data(buffer, frame)))
    }
}
