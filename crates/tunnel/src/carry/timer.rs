//! When time alone moves a tunnel on, or ends it.

use std::future::Future;
use std::task::Context;

use relay::{Leg, Side, Why};
use tokio::time::Instant;

use super::{IDLE, LINGER, SILENCE, Tunnel};
use crate::close;
use crate::frame::Role;

impl<L: Leg, W: Leg> Tunnel<L, W> {
    pub(super) fn decide_by_limits(&mut self, now: Instant) {
        let why = if self.expires.is_some_and(|at| now >= at) {
            Why::Lifetime
        } else if self.idle_at().is_some_and(|at| now >= at) {
            Why::Idle
        } else {
            return;
        };
        self.begin(now, Side::Here, why, Some(close::GOING_AWAY));
    }

    /// When the peer counts as finished after the local end of file at `eof`. A destination that ends
    /// has said its last word: there the silence may have begun before. A client may have shut down its
    /// half to wait for the answer: there it begins with the end of file.
    pub(super) fn silent_at(&self, eof: Instant) -> Instant {
        let quiet_since = match self.role {
            Role::Client => self.incoming.last_moved.max(eof),
            Role::Server => self.incoming.last_moved,
        };
        quiet_since + SILENCE
    }

    /// The one timer of a tunnel. It is moved only to an earlier time; when it fires too early, the
    /// next poll sets it again, so that traffic costs no timer operation.
    pub(super) fn timer_fired(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let own = self.next_deadline(now);
        let limits = if self.ending.is_none() { [self.expires, self.idle_at()] } else { [None, None] };
        let Some(due) = own.into_iter().chain(limits.into_iter().flatten()).min() else { return false };
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// When it has been idle for as long as it may: no payload moved either way.
    fn idle_at(&self) -> Option<Instant> {
        self.incoming.last_moved.max(self.outgoing.last_moved).checked_add(self.limits.idle?)
    }

    fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        if let Some(ending) = &self.ending {
            return ending.next_deadline();
        }
        if let Some(eof) = self.outgoing.finished() {
            let silent = (!self.incoming.undelivered()).then(|| self.silent_at(eof));
            return Some(silent.map_or(eof + LINGER, |s| s.min(eof + LINGER)));
        }
        if self.outgoing.is_blocked() || self.incoming.undelivered() {
            return Some(self.next_look);
        }
        let quiet = self.incoming.last_received.max(self.outgoing.last_moved).max(self.last_ping);
        if now < quiet + IDLE {
            return Some(quiet + IDLE);
        }
        self.last_ping = now;
        self.outgoing.owe_ping();
        Some(now) // fires at once, so that the ping is written
    }

    /// If a pong has come: how long after its ping.
    pub(super) fn observe_round_trip(&mut self) {
        let Some(came) = self.incoming.take_pong() else { return };
        if let (Some(sent), Some(observe)) = (self.outgoing.answer_ping(), &self.round_trip) {
            (observe.0)(came.saturating_duration_since(sent));
        }
    }
}
