//! The farewell: the verdict is known; Close frames are exchanged and the last bytes delivered.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use relay::{Leg, Side, Why};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::incoming::{Incoming, PeerEnd};
use super::outgoing::Outgoing;
use crate::decode::End;

/// How long the answer to a Close, or the last bytes of a local socket, are waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// The verdict, and what is left to do.
pub(super) struct Ending {
    pub(super) by: Side,
    pub(super) why: Why,
    /// When the WebSocket is given up, whatever is outstanding.
    pub(super) give_up: Instant,
    /// Stopping: `give_up` is not moved any more.
    pub(super) hurried: bool,
    pub(super) wire_shut: bool,
    pub(super) wire_done: bool,
    pub(super) local: LocalEnd,
}

pub(super) enum LocalEnd {
    /// What the peer sent is still to be written.
    Deliver,
    /// The end of file is to be passed on.
    Shut,
    /// Reading what it still sends, so that closing with unread bytes does not reset it (RFC 1122
    /// section 4.2.2.13) and destroy what it has not read yet.
    Drain(Instant),
    Done,
}

impl Ending {
    /// The WebSocket: once our Close is out, its answer is waited for a short time; after both, or the
    /// peer's end of file, the stream is shut down.
    pub(super) fn step_wire(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut impl Leg,
        outgoing: &Outgoing,
        incoming: &Incoming,
    ) -> bool {
        if self.wire_done {
            return false;
        }
        if let (Some(sent), false) = (outgoing.close_sent_at(), self.hurried) {
            self.give_up = sent + ANSWER;
        }
        let end = incoming.peer_end();
        let said = outgoing.close_sent_at().is_some() || outgoing.is_broken();
        let gone = matches!(end, Some(PeerEnd::Eof { .. } | PeerEnd::Failed(_)));
        if !self.wire_shut && (gone || said && end.is_some()) {
            self.wire_shut = Pin::new(&mut *wire).poll_shutdown(cx).is_ready();
        }
        // A peer that broke the protocol may still be sending: closing now would reset the connection
        // before it has read why.
        let violated = matches!(end, Some(PeerEnd::Frame(End::Violation(_))));
        self.wire_done = self.wire_shut && (!violated || drained(cx, wire));
        self.wire_done
    }

    /// The local socket: what the peer sent, then the end of file, then what it still sends.
    pub(super) fn step_local(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut impl Leg,
        outgoing: &Outgoing,
        incoming: &Incoming,
        now: Instant,
    ) -> bool {
        let next = match self.local {
            LocalEnd::Deliver if self.is_delivered(incoming) => LocalEnd::Shut,
            // Its failure says that the socket is gone, and then there is nothing to end.
            LocalEnd::Shut if Pin::new(&mut *local).poll_shutdown(cx).is_ready() => {
                let over = outgoing.finished().is_some() || outgoing.source_failed().is_some();
                if over { LocalEnd::Done } else { LocalEnd::Drain(now + ANSWER) }
            }
            LocalEnd::Drain(until) if now >= until || drained(cx, local) => LocalEnd::Done,
            _ => return false,
        };
        self.local = next;
        true
    }

    fn is_delivered(&self, incoming: &Incoming) -> bool {
        incoming.all_delivered() || incoming.sink_gone() || self.wire_done && !incoming.undelivered()
    }

    pub(super) fn is_over(&self) -> bool {
        self.wire_done && matches!(self.local, LocalEnd::Done)
    }

    /// When time alone will move it on. A local reader that sleeps has no deadline.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let wire = (!self.wire_done).then_some(self.give_up);
        let local = match self.local {
            LocalEnd::Drain(until) => Some(until),
            _ => None,
        };
        wire.into_iter().chain(local).min()
    }
}

/// Reads and drops what comes; true at the end of the stream.
fn drained(cx: &mut Context<'_>, leg: &mut impl Leg) -> bool {
    let mut scratch = [0; 4096];
    loop {
        let mut into = ReadBuf::new(&mut scratch);
        match Pin::new(&mut *leg).poll_read(cx, &mut into) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !into.filled().is_empty() => {}
            Poll::Ready(_) => return true,
        }
    }
}
