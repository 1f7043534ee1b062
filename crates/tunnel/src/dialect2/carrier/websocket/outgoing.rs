//! From the local socket to the WebSocket: one read, one frame, one write.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relay::{Buffer, Leg, Size};
use tokio::time::Instant;

use super::super::local::Local;
use super::super::writing::Writing;
use super::WebSocket;
use crate::dialect2::memory::DataFrame;
use crate::dialect2::session::Session;
use crate::dialect2::wire::DATA_ROOM;

impl<W: Leg> WebSocket<W> {
    /// Does one thing: a write, a flush, or a read of the local socket, one frame a read. Pending when it can
    /// do none now.
    pub(in super::super) fn write<L: Leg>(
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
        Some(Writing::Data(DataFrame::own(buffer, frame)))
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
        let mut buffer = Buffer::take(session.sending.read_size(local.size));
        let got = ready!(local.read(cx, session, &mut buffer[DATA_ROOM..], room, now));
        let frame = (got > 0).then(|| self.link.data(session, buffer, got, now));
        Poll::Ready(frame.map(Writing::Data))
    }
}
