//! A session: what outlives its WebSockets.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;
use super::link::Link;
use super::receive::Receiving;
use super::reset::ResetCode;
use super::send::Sending;
use crate::frame::Role;

/// A server that has not heard its client's first frame keeps a session without a WebSocket only so long.
const UNCONFIRMED: Duration = Duration::from_secs(10);

/// What both ends agreed on in the upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which end we are.
    pub role: Role,
    /// The largest window, in bytes: the smaller of both offers,
    /// [`MIN_WINDOW`](crate::header::MIN_WINDOW) to [`MAX_WINDOW`](crate::header::MAX_WINDOW).
    pub window: u32,
    /// Whether the session outlives its WebSocket. If not, nothing is kept to be sent again.
    pub resume: bool,
}

/// How a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Both streams were delivered whole. The local socket is closed normally; after everything else it is
    /// reset.
    Finished,
    /// We ended it.
    Reset(ResetCode, String),
    /// The peer ended it, with a text for the log.
    ResetByPeer(ResetCode, String),
    /// The peer closed the WebSocket with a code that ends the session.
    Closed(u16),
    /// The peer broke the protocol; the text says how.
    Violated(&'static str),
    /// The WebSocket is gone, and the session was not to be resumed.
    Cut,
    /// The client's resume was refused for good; the server remembers nothing, or says that the session was
    /// reset.
    Refused,
}

/// Why a session cannot be resumed; the words are those of the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResume {
    /// 409: a later attempt has been accepted.
    Stale,
    /// 410: bytes that the peer lacks are not held any more, or it claims bytes that were never sent.
    Gone,
    /// 410: it is finished.
    Finished,
    /// 410: it was reset.
    Reset,
}

/// The state of one TCP stream each way. It neither reads nor writes: a [`Link`] moves bytes between it and
/// a WebSocket, the caller between it and the local socket.
#[derive(Debug)]
pub struct Session {
    pub(super) role: Role,
    pub(super) resume: bool,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    /// The peer has shown that it speaks dialect 2.
    pub(super) confirmed: bool,
    /// How it ended, unless it is finished.
    over: Option<Over>,
    /// The last accepted upgrade of the client.
    attempt: u32,
    detached: Option<Instant>,
}

impl Session {
    /// A new session, and the link of its first WebSocket.
    pub fn new(terms: Terms, budget: &Arc<Budget>, now: Instant) -> (Self, Link) {
        let session = Self {
            role: terms.role,
            resume: terms.resume,
            sending: Sending::new(terms.window, terms.resume, budget),
            receiving: Receiving::new(terms.window, budget),
            confirmed: terms.role == Role::Client,
            over: None,
            attempt: 0,
            detached: None,
        };
        (session, Link::new(terms.role, 0, 0, now))
    }

    /// Server: a client that has received up to `received` takes the session over with a new WebSocket.
    /// The answer reports [`received`](Self::received), taken now; the link of the old WebSocket is not used
    /// any more. Nothing is changed that a client which never sees the answer would need.
    ///
    /// # Errors
    /// Why it cannot; nothing has changed then.
    pub fn resume(&mut self, received: u64, attempt: u32, now: Instant) -> Result<Link, NoResume> {
        if attempt < self.attempt {
            return Err(NoResume::Stale);
        }
        let link = self.attach(self.received(), received, now)?;
        self.attempt = attempt;
        Ok(link)
    }

    /// Client: an upgrade begins that resumes the session; returns the `received` that it reports. Until it is
    /// answered, or [given up](Self::give_up_upgrade), a WebSocket that still lives goes on, but confirms no
    /// more than that.
    pub fn begin_upgrade(&mut self) -> u64 {
        let received = self.received();
        self.receiving.report(Some(received));
        received
    }

    /// Client: the upgrade came to nothing.
    pub fn give_up_upgrade(&mut self) {
        self.receiving.report(None);
    }

    /// Client: a server that has received up to `received` has answered the upgrade that was begun last. The
    /// link of a WebSocket that still lives is to be [retired](Link::retire) now, and read until the new one
    /// [is open](Link::is_open).
    ///
    /// # Errors
    /// [`NoResume::Gone`] if the server's answer cannot be met; the session is lost then.
    pub fn resumed(&mut self, received: u64, now: Instant) -> Result<Link, NoResume> {
        let reported = self.receiving.reported().ok_or(NoResume::Gone)?;
        let link = self.attach(reported, received, now)?;
        self.give_up_upgrade();
        Ok(link)
    }

    fn attach(&mut self, reported: u64, received: u64, now: Instant) -> Result<Link, NoResume> {
        match self.over() {
            // What the local socket sent before it failed is still to be told, and then the failure.
            None | Some(Over::Reset(..)) => {}
            Some(Over::Finished) => return Err(NoResume::Finished),
            Some(_) => return Err(NoResume::Reset),
        }
        // Where nothing but the end is left to tell it does not matter from where on.
        let only_end = matches!(&self.over, Some(Over::Reset(code, _)) if *code != ResetCode::LOCAL);
        let only_end = only_end && self.role == Role::Client;
        if !only_end && !self.sending.can_go_on_from(received) {
            return Err(NoResume::Gone);
        }
        self.sending.drop_below(received);
        self.detached = None;
        Ok(Link::new(self.role, reported, received, now))
    }

    /// The WebSocket is gone, and no other has taken its place. Tells whether the session is kept.
    pub fn detach(&mut self, now: Instant) -> bool {
        if !self.resume && self.over().is_none() {
            self.end(Over::Cut);
        }
        self.detached = Some(now);
        self.is_kept()
    }

    /// Whether a WebSocket may still take it up: it goes on, or the peer is to be told of a local failure, or a
    /// server that its client stops: it would wait for it.
    pub(super) fn is_kept(&self) -> bool {
        let open = match &self.over {
            None => true,
            Some(Over::Reset(code, _)) => {
                *code == ResetCode::LOCAL || (*code == ResetCode::STOPPING && self.role == Role::Client)
            }
            Some(_) => false,
        };
        self.resume && open && !self.is_finished()
    }

    /// When a session without a WebSocket is given up; none while it has one.
    pub fn expires(&self, grace: Duration) -> Option<Instant> {
        let kept = if self.confirmed { grace } else { grace.min(UNCONFIRMED) };
        self.detached?.checked_add(kept)
    }

    /// The position up to which the peer's stream is delivered or held: what an upgrade reports.
    pub fn received(&self) -> u64 {
        self.receiving.position()
    }

    /// Bytes of the local socket that were taken.
    pub fn sent(&self) -> u64 {
        self.sending.bytes()
    }

    /// Bytes written to the local socket.
    pub fn delivered(&self) -> u64 {
        self.receiving.written()
    }

    /// Grows whenever the peer has sent, or confirmed, more of either stream: what tells a WebSocket that was
    /// of use from one that was not.
    pub fn progress(&self) -> u64 {
        self.received() + self.sending.confirmed()
    }

    /// Whether the client's first frame has come (always true at a client).
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// How the session is over, once it is.
    pub fn over(&self) -> Option<Over> {
        let finished = self.sending.is_confirmed() && self.receiving.is_complete();
        self.over.clone().or_else(|| finished.then_some(Over::Finished))
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some() || self.is_finished()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.over.is_none() && self.sending.is_confirmed() && self.receiving.is_complete()
    }

    /// Over, and not in order: what still comes is of no interest.
    pub(super) fn is_broken(&self) -> bool {
        self.over.is_some()
    }

    /// Ends the session. What was decided first stays.
    pub(super) fn end(&mut self, over: Over) {
        if self.is_over() {
            return;
        }
        self.receiving.discard();
        // After a failure of the local socket the peer still gets what came before it.
        if !matches!(over, Over::Reset(ResetCode::LOCAL, _)) {
            self.sending.discard();
        }
        self.over = Some(over);
    }

    /// Ends the session abruptly: the peer is sent a RESET as soon as a link can, after what the local
    /// socket sent if it was that which failed. `text` is for the peer's log, at most 120 bytes of it.
    pub fn reset(&mut self, code: ResetCode, text: &str) {
        self.end(Over::Reset(code, text.to_owned()));
    }

    /// Client: the server has refused a resume for good. `finished`: it says that the session is; it has
    /// delivered all of our stream then, and we close normally if we have all of its.
    pub fn refused(&mut self, why: NoResume) {
        let complete = self.receiving.is_complete() && self.sending.total().is_some();
        if why == NoResume::Finished && complete {
            let position = self.sending.position();
            // The ACK that was lost: its position is ours, so that it cannot be too far.
            let _ = self.sending.acknowledge(position, 0);
        } else {
            self.end(Over::Refused);
        }
    }

    /// The local socket has ended.
    pub fn end_of_file(&mut self) {
        self.sending.end_of_file();
    }

    /// For a vectored write to the local socket: fills `into` with what is held; tells how many slices there
    /// are.
    pub fn held<'s>(&'s self, into: &mut [IoSlice<'s>]) -> usize {
        self.receiving.slices(into)
    }

    /// Whether something is held that the local socket has not taken.
    pub fn holds_any(&self) -> bool {
        self.receiving.holds_any()
    }

    /// `n` bytes of what is [held](Self::held) were written to the local socket.
    pub fn wrote(&mut self, n: usize, now: Instant) {
        self.receiving.delivered_more(n, true, now);
    }

    /// Whether the local socket's write half is to be shut down now.
    pub fn wants_shutdown(&self) -> bool {
        self.over.is_none() && self.receiving.wants_shutdown()
    }

    /// The local socket's write half is shut down.
    pub fn shut_down(&mut self, now: Instant) {
        self.receiving.shut_down(now);
    }

    /// How much memory is held for the session, in bytes.
    pub fn memory(&self) -> usize {
        self.sending.memory() + self.receiving.memory()
    }
}
