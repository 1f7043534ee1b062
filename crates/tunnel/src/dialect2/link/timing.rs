//! When time alone moves a link on: pings, silence, the wait for a Close.

use std::time::Duration;

use tokio::time::Instant;

use super::super::session::Session;
use super::{ANSWER, Cut, Link};

/// A ping goes out when nothing has come for so long.
const QUIET: Duration = Duration::from_secs(25);
/// A WebSocket on which nothing comes for so long after a ping is dead.
const DEAD: Duration = Duration::from_secs(20);
/// After a round trip in which the window was not used up: the next one is measured so much later. That may have
/// been a moment, and a window that stays too small is felt.
const NEXT_PROBE: Duration = Duration::from_millis(10);
/// A sender may leave this part of a window unused, a third, and wait for an ACK all the same.
const UNUSED: u32 = 3;

/// A ping that has no pong yet.
#[derive(Debug)]
pub(super) struct Ping {
    /// Since when it is owed. A WebSocket that cannot even be written is not alive either.
    at: Instant,
    written: Option<Instant>,
    /// If it measures a round trip: the edge that the peer knew when it was sent.
    probe: Option<u64>,
}

impl Link {
    /// Time has passed: pings when it is quiet, and gives up what is dead. For every turn of the caller's
    /// loop; at the latest when [`deadline`](Self::deadline) has come.
    pub fn tick(&mut self, session: &Session, now: Instant) {
        if self.owed_close(session).is_some() {
            self.give_up.get_or_insert(now + ANSWER);
        }
        match self.unanswered() {
            Some(at) if now >= at + DEAD => self.lost(Cut::Silent),
            None if now >= self.heard + QUIET => self.ping_now(now),
            _ => {}
        }
    }

    /// Since when a ping is owed or out, and nothing has come.
    fn unanswered(&self) -> Option<Instant> {
        self.ping.as_ref().map(|ping| ping.at).filter(|at| *at >= self.heard)
    }

    /// Pings at once: the machine may have slept.
    pub fn ping_now(&mut self, now: Instant) {
        self.ping = Some(Ping { at: now, written: None, probe: None });
    }

    /// When [`tick`](Self::tick) has something to do though nothing has come. It may move to a later time; a
    /// timer need not follow, it asks again when it fires.
    pub fn deadline(&self) -> Instant {
        let silence = self.unanswered().map_or(self.heard + QUIET, |at| at + DEAD);
        self.give_up.map_or(silence, |at| at.min(silence))
    }

    /// When [`control`](Self::control) has an ACK to write though nothing else has happened, as
    /// [`deadline`](Self::deadline) says it. Of no interest while a write is in progress.
    pub fn ack_deadline(&self, session: &Session) -> Option<Instant> {
        session.receiving.ack_due().filter(|_| !self.retired && !self.close_sent)
    }

    /// The WebSocket is no more.
    pub(super) fn lost(&mut self, cut: Cut) {
        self.ended.get_or_insert(cut);
        self.give_up = Some(self.heard);
    }

    /// Whether a ping is to be written now; it counts as written then.
    pub(super) fn ping_is_owed(&mut self, now: Instant) -> bool {
        let owed = self.ping.as_mut().filter(|ping| ping.written.is_none());
        owed.map(|ping| ping.written = Some(now)).is_some()
    }

    /// If the window may grow, a ping goes with the ACK, to find out what is delivered within a round trip.
    pub(super) fn probe(&mut self, session: &Session, now: Instant) {
        let wanted = session.receiving.may_grow() && now >= self.probe_from && self.opened;
        if wanted && self.ping.is_none() {
            let probe = Some(session.receiving.edge());
            self.ping = Some(Ping { at: now, written: None, probe });
        }
    }

    /// The pong comes behind everything that the peer sent before it got the ACK that went with the ping. If by
    /// now all is delivered that it might send without that ACK, but for the last third of a window, it was waiting
    /// for it, and the local socket keeps up: a larger window will be used.
    pub(super) fn pong_came(&mut self, session: &mut Session, now: Instant) {
        let Some(ping) = self.ping.take_if(|ping| ping.written.is_some()) else { return };
        let Some(edge) = ping.probe else {
            // Only of these: a probe goes through full buffers, and says how much is in them.
            self.round_trip = ping.written.map(|written| now.saturating_duration_since(written));
            return;
        };
        let unused = u64::from(session.receiving.window() / UNUSED);
        let used = session.receiving.written() + unused >= edge;
        if !(used && session.receiving.grow()) {
            self.probe_from = now + NEXT_PROBE;
        }
    }
}
