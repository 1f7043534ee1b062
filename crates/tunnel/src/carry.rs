//! Dialect 1: bare binary messages, payload only, as the original programs speak it.
//!
//! It cannot half-close. After the local end of file the other direction is carried on until it has been
//! silent for [`SILENCE`], at most [`LINGER`]; then Close 1000 goes out and the peer's is waited for, two
//! seconds. After the peer's Close or end of file what was read is written, then the local socket gets its
//! end of file. A failure of either leg resets the other: a truncated stream must never look complete.
//!
//! Pings go out only when nothing moves either way, and no answer means nothing: the original peers answer
//! only while they read. TCP keep-alive finds the dead. An idle tunnel lives on, unless [`Limits`] says how
//! long; then Close 1001 goes out and the local socket is reset.

mod ending;
mod incoming;
mod outgoing;
mod settings;
mod timer;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use relay::{Ended, Leg, Side, Why};
use tokio::time::{Instant, Sleep};

use crate::close;
use crate::decode::End;
use crate::frame::Role;
use ending::{ANSWER, Ending, LocalEnd};
use incoming::{Incoming, PeerEnd};
use outgoing::Outgoing;
pub(crate) use settings::tapping;
pub use settings::{Limits, RoundTrip, Settings, Tap, Wire};

/// After the local end of file: the peer is finished when it has sent nothing for so long.
const SILENCE: Duration = Duration::from_secs(1);
/// After the local end of file: the longest that the other direction is carried on.
const LINGER: Duration = Duration::from_secs(10);
/// How long stopping may take once it is ordered.
const STOP: Duration = Duration::from_millis(500);
/// While bytes wait for one leg, the other is not read: so often it is asked whether it has failed.
const LOOK: Duration = Duration::from_secs(5);
/// A ping goes out after so long without a byte either way: load balancers cut idle connections.
const IDLE: Duration = Duration::from_secs(25);

/// Carries one connection between a local socket and a WebSocket until it is over.
///
/// Holds no buffer while nothing moves, at most one of 256 KiB a direction while something does.
pub async fn carry(local: impl Leg, wire: Wire<impl Leg>, settings: Settings) -> Ended {
    let begun = Instant::now();
    let stop = settings.stop.clone();
    let mut tunnel = Tunnel::new(local, wire, settings);
    let mut stopped = pin!(stop.cancelled());
    let mut stopping = false;
    poll_fn(|cx| {
        if !stopping && stopped.as_mut().poll(cx).is_ready() {
            stopping = true;
            tunnel.stop();
        }
        tunnel.poll(cx)
    })
    .await;
    tunnel.ended(begun.elapsed())
}

struct Tunnel<L, W> {
    local: L,
    wire: W,
    role: Role,
    outgoing: Outgoing,
    incoming: Incoming,
    ending: Option<Ending>,
    control_timeout: Duration,
    limits: Limits,
    /// When it is as old as it may become.
    expires: Option<Instant>,
    tap: Option<Box<dyn Tap>>,
    round_trip: Option<RoundTrip>,
    last_ping: Instant,
    next_look: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<L: Leg, W: Leg> Tunnel<L, W> {
    fn new(local: L, wire: Wire<W>, settings: Settings) -> Self {
        let now = Instant::now();
        let (up, down) = (settings.meter.count_up(), settings.meter.count_down());
        let (sent, received) = match wire.role {
            Role::Client => (up, down),
            Role::Server => (down, up),
        };
        Self {
            local,
            wire: wire.stream,
            role: wire.role,
            outgoing: Outgoing::new(wire.role, sent, now),
            incoming: Incoming::new(wire.role, wire.early, received, now),
            ending: None,
            control_timeout: settings.control_timeout,
            limits: settings.limits,
            expires: settings.limits.lifetime.and_then(|lifetime| now.checked_add(lifetime)),
            tap: settings.tap,
            round_trip: settings.round_trip,
            last_ping: now,
            next_look: now + LOOK,
            timer: Box::pin(tokio::time::sleep_until(now + IDLE)),
        }
    }

    /// Does all that can be done now; ready when the tunnel is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            self.decide(now);
            let mut moved = self.step_outgoing(cx, now);
            moved |= self.step_incoming(cx, now);
            moved |= self.step_ending(cx, now);
            if self.is_over() {
                return Poll::Ready(());
            }
            if !moved && !self.timer_fired(cx, now) {
                return Poll::Pending;
            }
        }
    }

    /// Draws the conclusions from what the two directions have found.
    fn decide(&mut self, now: Instant) {
        if let Some(payload) = self.incoming.take_ping() {
            self.outgoing.owe_pong(payload);
        }
        self.observe_round_trip();
        if self.ending.is_none() {
            self.decide_by_peer(now);
        }
        if self.ending.is_none() {
            self.decide_by_local(now);
        }
        if self.ending.is_none() && now >= self.next_look {
            self.next_look = now + LOOK;
            self.look_for_failure(now);
        }
        if self.ending.is_none() {
            self.decide_by_limits(now);
        }
        self.give_up_when_due(now);
    }

    fn decide_by_peer(&mut self, now: Instant) {
        let peer = self.role.peer();
        match self.incoming.peer_end() {
            None => {}
            Some(PeerEnd::Frame(End::Close(code))) if close::is_orderly(code) => {
                self.begin(now, peer, Why::Eof, Some(close::NORMAL));
            }
            Some(PeerEnd::Frame(End::Close(code))) => self.begin(now, peer, Why::Code(code), Some(code)),
            Some(PeerEnd::Frame(End::Violation(violation))) => {
                self.begin(now, peer, Why::Protocol(violation.text()), Some(violation.code()));
            }
            Some(PeerEnd::Eof { complete: true }) => {
                self.begin(now, peer, Why::of_eof_after(self.outgoing.write_error()), None);
            }
            Some(PeerEnd::Eof { complete: false }) => self.begin(now, peer, Why::Truncated, None),
            Some(PeerEnd::Failed(kind)) => self.begin(now, peer, Why::Failed(kind), None),
        }
    }

    fn decide_by_local(&mut self, now: Instant) {
        let local = self.role.local();
        if let Some(why) = self.outgoing.source_failed() {
            return self.begin(now, local, why, Some(close::LOCAL_RESET));
        }
        let Some(eof) = self.outgoing.finished() else { return };
        let why = Why::of_eof_after(self.incoming.sink_error());
        if !why.is_orderly() {
            return self.begin(now, local, why, Some(close::LOCAL_RESET));
        }
        if self.incoming.sink_gone() || (now >= self.silent_at(eof) && !self.incoming.undelivered()) {
            self.begin(now, local, Why::Eof, Some(close::NORMAL));
        } else if now >= eof + LINGER {
            self.begin(now, local, Why::Truncated, Some(close::NORMAL));
        }
    }

    /// TCP keep-alive and resets end a connection that nobody reads, but nobody is told.
    fn look_for_failure(&mut self, now: Instant) {
        // Asked only of a leg that is not read: elsewhere the read is to be told.
        if self.incoming.undelivered()
            && let Some(kind) = self.wire.take_error()
        {
            self.begin(now, self.role.peer(), Why::Failed(kind), None);
        } else if self.outgoing.is_blocked()
            && let Some(kind) = self.local.take_error()
        {
            self.begin(now, self.role.local(), Why::Failed(kind), Some(close::LOCAL_RESET));
        }
    }

    /// The verdict: from here on the local socket is read no more, and the rest is farewell.
    fn begin(&mut self, now: Instant, by: Side, why: Why, close: Option<u16>) {
        self.outgoing.stop_reading();
        if let Some(code) = close {
            self.outgoing.owe_close(code);
        }
        let local = if why.is_orderly() {
            LocalEnd::Deliver
        } else {
            self.incoming.discard();
            self.local.reset_on_drop();
            LocalEnd::Done
        };
        let wire_done = close.is_none() && !why.is_orderly();
        let give_up = now + self.control_timeout.max(ANSWER);
        self.ending = Some(Ending { by, why, give_up, hurried: false, wire_shut: false, wire_done, local });
    }

    /// Ends everything within [`STOP`].
    fn stop(&mut self) {
        let now = Instant::now();
        if self.ending.is_none() {
            self.begin(now, Side::Here, Why::Stopped, Some(close::GOING_AWAY));
        }
        let Some(ending) = &mut self.ending else { return };
        ending.give_up = ending.give_up.min(now + STOP);
        ending.hurried = true;
        match ending.local {
            LocalEnd::Deliver if self.incoming.undelivered() => {
                // A reader that sleeps is not waited for; it must not take what it has for all.
                (ending.by, ending.why) = (Side::Here, Why::Stopped);
                ending.local = LocalEnd::Done;
                self.incoming.discard();
                self.local.reset_on_drop();
            }
            LocalEnd::Drain(_) => ending.local = LocalEnd::Done,
            _ => {}
        }
    }

    /// Ends what waits for the WebSocket when its time is over.
    fn give_up_when_due(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else { return };
        if ending.wire_done || now < ending.give_up {
            return;
        }
        ending.wire_done = true;
        self.wire.reset_on_drop();
        let cut = self.incoming.peer_end().is_none()
            && self.outgoing.close_sent_at().is_some_and(|sent| self.incoming.last_moved > sent);
        if cut && ending.why.is_orderly() {
            ending.why = Why::Truncated;
            self.local.reset_on_drop();
        }
    }

    fn step_outgoing(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let see = tapping(&mut self.tap, self.role.local());
        self.outgoing.step(cx, &mut self.local, &mut self.wire, now, see).is_ready()
    }

    fn step_incoming(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let see = tapping(&mut self.tap, self.role.peer());
        self.incoming.step(cx, &mut self.wire, &mut self.local, now, see).is_ready()
    }

    /// Farewell, a step of it.
    fn step_ending(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(ending) = &mut self.ending else { return false };
        if let (Why::Eof, Some(kind)) = (&ending.why, self.incoming.sink_error())
            && ending.by == self.role.peer()
        {
            // The peer's stream is complete, and not all of it could be delivered.
            (ending.by, ending.why) = (self.role.local(), Why::Failed(kind));
        }
        let wire = ending.step_wire(cx, &mut self.wire, &self.outgoing, &self.incoming);
        let local = ending.step_local(cx, &mut self.local, &self.outgoing, &self.incoming, now);
        wire || local
    }

    fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(Ending::is_over)
    }

    fn ended(mut self, lasted: Duration) -> Ended {
        let (by, why) =
            self.ending.take().map_or((Side::Here, Why::Stopped), |ending| (ending.by, ending.why));
        let answered = matches!(self.incoming.peer_end(), Some(PeerEnd::Frame(End::Close(_))));
        if !why.is_orderly() && !answered {
            self.wire.reset_on_drop();
        }
        let (sent, received) = (self.outgoing.moved.own(), self.incoming.moved.own());
        let (up, down) = match self.role {
            Role::Client => (sent, received),
            Role::Server => (received, sent),
        };
        Ended { up, down, by, why, lasted }
    }
}

#[cfg(test)]
mod rough;
#[cfg(test)]
mod tests;
