//! When time alone moves a carrier on, or ends its session.

use std::future::Future;
use std::task::Context;
use std::time::Duration;

use relay::Leg;
use tokio::time::Instant;

use super::{Carrier, WebSocket};
use crate::dialect2::reset::ResetCode;

/// For the farewell on a WebSocket that was had when the time for it was almost over.
const LATE: Duration = Duration::from_millis(200);

impl<L: Leg> Carrier<L> {
    pub(super) fn decide_by_limits(&mut self, now: Instant) {
        for (at, code) in [(self.expires(), ResetCode::LIFETIME), (self.idle_at(), ResetCode::IDLE)] {
            if at.is_some_and(|at| now >= at) {
                self.session.reset(code, "");
            }
        }
    }

    /// When it is as old as it may become.
    fn expires(&self) -> Option<Instant> {
        self.begun.checked_add(self.limits.lifetime?)
    }

    /// When it has been idle for as long as it may: no payload moved either way.
    fn idle_at(&self) -> Option<Instant> {
        self.local.last_moved.checked_add(self.limits.idle?)
    }

    /// Once the session is over: when a WebSocket is given up that takes nothing. One that was had after the order
    /// to stop has its chance, too.
    pub(super) fn farewell_deadline<W: Leg>(&self, websocket: &WebSocket<W>) -> Option<Instant> {
        let patience = self.over_since?.max(websocket.last_written()).checked_add(self.control_timeout);
        let hurried = self.hurried.map(|at| at.max(websocket.begun() + LATE));
        patience.into_iter().chain(hurried).min()
    }

    /// The one timer of a tunnel. It is moved only to an earlier time; when it fires too early, the next poll
    /// sets it again, so that traffic costs few timer operations.
    pub(super) fn timer_fired(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> bool {
        let open = self.over_since.is_none();
        let limits = [self.expires(), self.idle_at(), self.local.failure_deadline()];
        let limits = limits.into_iter().filter(|_| open).flatten();
        let Some(due) = due.into_iter().chain(limits).chain(self.local.next_look()).min() else {
            return false;
        };
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}
