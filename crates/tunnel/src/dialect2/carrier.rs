//! A session carried: between its local socket and one WebSocket after another.
//!
//! A [`Carrier`] is the session and its local socket, a [`WebSocket`] one upgraded connection of it. Both
//! futures of a carrier may be dropped at any time, and nothing is lost: all state is in the two. So the
//! caller waits for whatever else concerns it beside them:
//!
//! ```text
//!   loop {
//!       select! {
//!           turn = carrier.over(&mut websocket)  ─ the WebSocket is done with, or is to be replaced
//!           ask = takeovers.recv()               ─ carrier.session().resume(..), another WebSocket,
//!                                                  websocket.dismiss(TAKEN_OVER)
//!           () = ended_by_operator               ─ carrier.session().reset(OPERATOR, ..), then on
//!       }
//!   }
//!   select! { over = carrier.detached() .. , () = sleep_until(carrier.session().expires(grace)) .. }
//! ```
//!
//! A client goes over to another WebSocket while one works: [`Session::begin_upgrade`], and while it dials it
//! carries on; then [`Session::resumed`], and [`WebSocket::replacing`].
//!
//! One task does both directions: an end never stops reading the WebSocket because it cannot write to it or
//! to the local socket, and no write is awaited alone. While nothing moves no buffer is held.

mod ended;
mod local;
mod timer;
mod websocket;
mod writing;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use relay::Leg;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::link::{Cut, Link, Parted};
use super::reset::ResetCode;
use super::session::{Over, Session};
use crate::carry::{Limits, RoundTrip, Settings};
use local::Local;
pub use websocket::WebSocket;

/// How long the farewell may take once stopping is ordered.
const STOP: Duration = Duration::from_millis(500);

/// Why [`Carrier::over`] comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The session is over, and the peer knows or cannot be told. The WebSocket is to be dropped, then
    /// [`Carrier::ended`] tells how it went.
    Over(Over),
    /// The WebSocket is gone and to be dropped; the session is kept, and [expires](Session::expires). It may
    /// even be over: a failure of the local socket that the peer was not told of is told after a resume.
    Cut(Cut),
    /// The peer wants this WebSocket to be replaced within so long. It works on: call [`Carrier::over`] again.
    ToldToGo(Duration),
}

/// A session, its local socket, and what is counted of it. Dropped before the session is
/// [finished](Over::Finished), it resets the local socket: a truncated stream must never look complete.
pub struct Carrier<L: Leg> {
    session: Session,
    local: Local<L>,
    limits: Limits,
    control_timeout: Duration,
    round_trip: Option<RoundTrip>,
    stop: CancellationToken,
    begun: Instant,
    /// When the session was found to be over.
    over_since: Option<Instant>,
    /// Stopping: when the farewell is given up.
    hurried: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl<L: Leg> Carrier<L> {
    /// A carrier of a new session.
    ///
    /// Of the settings, the limits count from now on, over all WebSockets, and end the session with RESET 2 or
    /// 3; `stop` ends it with RESET 5 and Close 1001 within half a second; `control_timeout` is how long the
    /// WebSocket may take no byte once the session is over. The meter counts what was taken from the local
    /// socket, and what was written to it.
    pub fn new(local: L, session: Session, settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            local: Local::new(local, session.role, &settings.meter, settings.tap, now),
            session,
            limits: settings.limits,
            control_timeout: settings.control_timeout,
            round_trip: settings.round_trip,
            stop: settings.stop,
            begun: now,
            over_since: None,
            hurried: None,
            timer: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    /// The session: to resume it, to reset it, to ask how far it is. What it is told takes effect when the
    /// carrier is next awaited.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Carries over this WebSocket until there is something to decide. May be dropped and called again.
    ///
    /// After [`Turn::Cut`] the session counts as [detached](Session::detach).
    pub async fn over<W: Leg>(&mut self, websocket: &mut WebSocket<W>) -> Turn {
        self.until(|carrier, cx| carrier.poll_over(cx, websocket)).await
    }

    /// Without a WebSocket: what is held is still written to the local socket, whose failure is noticed within
    /// 5 s; the limits and `stop` hold. For a session that was cut, and for one whose next WebSocket is on its
    /// way ([resumed](Session::resume), the 101 not yet written). Comes back when the session is over and there
    /// is nothing left to tell the peer: not for a failure of the local socket. The grace is the caller's to
    /// wait for ([`Session::expires`]). May be dropped and called again.
    pub async fn detached(&mut self) -> Over {
        self.until(Self::poll_detached).await
    }

    /// Polls until there is something to decide, and listens for the order to stop.
    async fn until<T>(&mut self, mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>) -> T {
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        poll_fn(|cx| {
            if self.hurried.is_none() && stopped.as_mut().poll(cx).is_ready() {
                self.hurry();
            }
            poll(self, cx)
        })
        .await
    }

    /// All is to end, and soon.
    fn hurry(&mut self) {
        self.session.reset(ResetCode::STOPPING, "");
        self.hurried = Some(Instant::now() + STOP);
    }
}

impl<L: Leg> Carrier<L> {
    /// Does all that can be done now; ready when there is something to decide.
    fn poll_over<W: Leg>(&mut self, cx: &mut Context<'_>, websocket: &mut WebSocket<W>) -> Poll<Turn> {
        loop {
            let now = Instant::now();
            self.decide(now);
            websocket.tick(&self.session, now);
            let mut moved = self.local.deliver(cx, &mut self.session, now).is_ready();
            moved |= websocket.read(cx, &mut self.session, &mut self.local, now).is_ready();
            self.observe_round_trip(websocket.link());
            moved |= websocket.write(cx, &mut self.session, &mut self.local, now).is_ready();
            if let Some(turn) = self.turn(cx, websocket, now) {
                return Poll::Ready(turn);
            }
            let farewell = self.farewell_deadline(websocket);
            let due = farewell.into_iter().fold(websocket.deadline(&self.session), Instant::min);
            if !moved && !self.timer_fired(cx, Some(due)) {
                return Poll::Pending;
            }
        }
    }

    fn poll_detached(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            let now = Instant::now();
            self.local.read_last_words(cx, &mut self.session, now);
            self.decide(now);
            let moved = self.local.deliver(cx, &mut self.session, now).is_ready();
            self.decide(now);
            let done = self.hurried.is_some() || !self.session.is_kept();
            if let Some(over) = self.session.over().filter(|_| done) {
                return Poll::Ready(over);
            }
            if !moved && !self.timer_fired(cx, None) {
                return Poll::Pending;
            }
        }
    }

    fn observe_round_trip(&self, link: &mut Link) {
        if let (Some(took), Some(observe)) = (link.round_trip(), &self.round_trip) {
            (observe.0)(took);
        }
    }

    /// Draws the conclusions of the local socket and of time. Once the session is over the local socket is
    /// closed: at once, however long the farewell to the peer takes.
    fn decide(&mut self, now: Instant) {
        self.local.look_for_failure(now);
        if let Some(why) = self.local.failure(now) {
            self.session.reset(ResetCode::LOCAL, &why.to_string());
        }
        self.decide_by_limits(now);
        if let Some(over) = self.session.over() {
            self.over_since.get_or_insert(now);
            self.local.close(over == Over::Finished);
        }
    }

    /// What is to be told to the caller.
    fn turn<W: Leg>(
        &mut self,
        cx: &mut Context<'_>,
        websocket: &mut WebSocket<W>,
        now: Instant,
    ) -> Option<Turn> {
        if let Some(within) = websocket.link().told_to_go() {
            return Some(Turn::ToldToGo(within));
        }
        if self.farewell_deadline(websocket).is_some_and(|at| now >= at) {
            websocket.link().failed();
        }
        let parted = websocket.parted(cx, &self.session, now)?;
        let told = websocket.has_told_reset();
        let kept = self.session.detach(now);
        Some(match (parted, self.session.over()) {
            (_, Some(over)) if !kept || told => Turn::Over(over),
            (Parted::Cut(cut), _) => Turn::Cut(cut),
            (Parted::Over(_), _) => Turn::Cut(websocket.link().cut()),
        })
    }
}

impl<L: Leg> Drop for Carrier<L> {
    fn drop(&mut self) {
        self.local.close(self.session.over() == Some(Over::Finished));
    }
}

#[cfg(test)]
mod rough;
#[cfg(test)]
mod tests;
