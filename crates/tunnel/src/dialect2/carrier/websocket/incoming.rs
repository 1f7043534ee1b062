//! From the WebSocket to the local socket: bytes are passed on as they arrive.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relay::{Buffer, Leg, Why};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::super::local::Local;
use super::WebSocket;
use crate::dialect2::session::Session;

impl<W: Leg> WebSocket<W> {
    /// Reads once, and passes on what came; the old WebSocket likewise. Pending when nothing has come.
    pub(in super::super) fn read<L: Leg>(
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
}
