//! A link: what belongs to one WebSocket of a session and ends with it.

mod incoming;
mod outgoing;
mod timing;

use std::time::Duration;

use tokio::time::Instant;

use super::session::{Over, Session};
use super::wire::Parser;
use crate::close;
use crate::decode::{Decoder, End};
use crate::frame::Role;

pub use incoming::Taken;
use timing::Ping;

/// How long the answer to a Close is waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// How a WebSocket was lost whose session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The peer closed it with this code (1005: none).
    Closed(u16),
    /// Its stream ended without a Close.
    Eof,
    /// Its connection failed.
    Failed,
    /// Nothing came for 20 s after a ping.
    Silent,
    /// We closed it.
    Here,
}

/// How a link is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parted {
    /// So is the session.
    Over(Over),
    /// The session goes on over another WebSocket, if it may be resumed.
    Cut(Cut),
}

/// The state of one WebSocket: bytes of it go in by [`take`](Self::take), bytes for it come out of
/// [`control`](Self::control), [`data`](Self::data) and [`replay`](Self::replay).
#[derive(Debug)]
pub struct Link {
    role: Role,
    decoder: Decoder,
    parser: Parser,
    /// The position of the peer's next byte on this WebSocket.
    position: u64,
    /// The position of our next byte on this WebSocket.
    send_at: u64,
    /// Our first ACK is out.
    greeted: bool,
    /// The peer's first ACK has come.
    opened: bool,
    retired: bool,
    pong: Option<Vec<u8>>,
    go_away: Option<u32>,
    /// A ping that is owed or not answered.
    ping: Option<Ping>,
    /// How long the last ping of a quiet WebSocket waited for its pong, until it is asked for.
    round_trip: Option<Duration>,
    /// Before that no ping is sent to measure a round trip.
    probe_from: Instant,
    /// When something last came.
    heard: Instant,
    /// The peer wants to be rid of this WebSocket within so long.
    told_to_go: Option<Duration>,
    reset_sent: bool,
    /// A Close of ours that the state of the session does not explain.
    close: Option<u16>,
    close_sent: bool,
    /// When the end of the WebSocket is waited for no longer.
    give_up: Option<Instant>,
    ended: Option<Cut>,
}

impl Link {
    pub(super) fn new(role: Role, position: u64, send_at: u64, now: Instant) -> Self {
        Self {
            role,
            decoder: Decoder::new(role),
            parser: Parser::default(),
            position,
            send_at,
            greeted: false,
            opened: false,
            retired: false,
            pong: None,
            go_away: None,
            ping: None,
            round_trip: None,
            probe_from: now,
            heard: now,
            told_to_go: None,
            reset_sent: false,
            close: None,
            close_sent: false,
            give_up: None,
            ended: None,
        }
    }

    /// Whether the peer's first frame has come: only then is an older WebSocket let go in a hand-over.
    pub fn is_open(&self) -> bool {
        self.opened
    }

    /// Client: a newer WebSocket has the session. This one is read on, and written no more.
    pub fn retire(&mut self) {
        self.retired = true;
    }

    /// Asks the peer to replace this WebSocket within so many seconds.
    pub fn go_away(&mut self, seconds: u32) {
        self.go_away = Some(seconds);
    }

    /// How long the peer leaves us to replace this WebSocket, once; counted from when it was told.
    pub fn told_to_go(&mut self) -> Option<Duration> {
        self.told_to_go.take()
    }

    /// How long a ping has waited for its pong, once for each. Pings that only measure what is delivered within
    /// a round trip do not count.
    pub fn round_trip(&mut self) -> Option<Duration> {
        self.round_trip.take()
    }

    /// Closes this WebSocket with `code`; the session goes on. No payload is written after it.
    pub fn close(&mut self, code: u16) {
        self.close.get_or_insert(code);
    }

    /// The WebSocket's stream has ended.
    pub fn end_of_stream(&mut self) {
        self.lost(Cut::Eof);
    }

    /// The WebSocket's connection has failed.
    pub fn failed(&mut self) {
        self.lost(Cut::Failed);
    }

    /// How it is done with, once it is. The stream below is to be dropped then: orderly if both ends have
    /// said Close, else abruptly.
    pub fn parted(&self, session: &Session, now: Instant) -> Option<Parted> {
        let lost = matches!(self.ended, Some(Cut::Eof | Cut::Failed | Cut::Silent));
        let done = self.is_answered() || lost || self.gives_up(now);
        done.then(|| session.over().map_or(Parted::Cut(self.cut()), Parted::Over))
    }

    /// Whether both ends have said Close.
    pub(super) fn is_answered(&self) -> bool {
        self.close_sent && matches!(self.ended, Some(Cut::Closed(_)))
    }

    /// Whether the end is waited for no longer.
    pub(super) fn gives_up(&self, now: Instant) -> bool {
        self.give_up.is_some_and(|at| now >= at)
    }

    /// Whether a RESET has been given out.
    pub(super) fn has_sent_reset(&self) -> bool {
        self.reset_sent
    }

    /// How it was lost; by us, if the peer has no part in it.
    pub(super) fn cut(&self) -> Cut {
        self.ended.unwrap_or(Cut::Here)
    }

    /// When something last came.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// The code of the Close that is owed now.
    fn owed_close(&self, session: &Session) -> Option<u16> {
        if self.close.is_some() {
            return self.close;
        }
        match session.over()? {
            Over::Finished | Over::ResetByPeer(..) => Some(close::NORMAL),
            Over::Reset(code, _) => self.reset_sent.then(|| code.close_code()),
            Over::Closed(code) => Some(code),
            Over::Violated(_) => Some(close::PROTOCOL),
            Over::Cut | Over::Refused => Some(close::GOING_AWAY),
        }
    }

    /// The peer's Close, or bytes that are no WebSocket.
    fn ended_by(&mut self, session: &mut Session, end: End) {
        match end {
            End::Violation(violation) => {
                session.end(Over::Violated(violation.text()));
                self.close(violation.code());
            }
            End::Close(code) => {
                self.ended = Some(Cut::Closed(code));
                if close::ends_session(code) {
                    session.end(Over::Closed(code));
                }
                // 1005 stands for no code and is never sent.
                self.close(if code == close::NONE { close::NORMAL } else { code });
            }
        }
    }
}
