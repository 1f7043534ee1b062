//! One WebSocket of a session: its stream, its link, and what is being written to it.

mod incoming;
mod outgoing;

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use relay::{Leg, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::writing::Writing;
use crate::carry::Wire;
use crate::close;
use crate::dialect2::link::{Cut, Link, Parted};
use crate::dialect2::session::Session;
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
    begun: Instant,
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
        let begun = Instant::now();
        Self {
            link,
            role: wire.role,
            stream: wire.stream,
            early: wire.early,
            ended: false,
            size: Size::default(),
            writing: None,
            unflushed: false,
            begun,
            last_written: begun,
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

    /// Since when there is this one.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// When it last took a byte.
    pub(super) fn last_written(&self) -> Instant {
        self.last_written
    }

    /// Whether the peer has surely read our RESET: it has answered the Close behind it. A Close that says that
    /// another WebSocket has taken over is no answer: nothing was read here any more.
    pub(super) fn has_told_reset(&self) -> bool {
        let taken_over = self.link.cut() == Cut::Closed(close::TAKEN_OVER);
        self.link.has_sent_reset() && self.link.is_answered() && !taken_over
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
}

#[cfg(test)]
impl<W> WebSocket<W> {
    /// Whether it holds a buffer.
    pub(super) fn holds_any(&self) -> bool {
        self.writing.is_some() || self.early.capacity() > 0
    }

    /// The connection breaks: what is under way is lost, and this is what is found in its place.
    pub(super) fn break_with(&mut self, stream: W) {
        self.stream = stream;
    }
}
