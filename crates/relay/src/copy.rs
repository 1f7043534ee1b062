//! Both directions of a connection, in one task, until both are over.
//!
//! ```text
//!   poll ── up: Flow ─┬─ small messages: read ── Buffer ── write
//!        └─ down: Flow └─ bulk (Burst), between sockets: splice ── Pipe of the Pool ── splice
//! ```

mod burst;
mod flow;
mod pipe;
mod pool;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::{Ended, Leg, Meter, Side, Why};
use flow::{Broken, Flow};
use pool::Pool;

/// While bytes wait for one side, the other is not read: so often it is asked whether it has failed.
const LOOK: Duration = Duration::from_secs(5);

/// After so many steps of each direction the other tasks of the thread have their turn. A step moves up to
/// 1 MiB, which takes a quarter of a millisecond.
const TURNS: usize = 32;

/// Carries bytes both ways until both directions have ended, one of the sockets fails, or `stop` is
/// cancelled.
///
/// An end of file in one direction shuts down the other side's write half and nothing else (half-close).
/// A failure of either side, and `stop`, reset both: a truncated stream must not look complete. While
/// nothing moves neither a buffer nor a pipe is held; while data moves, at most a buffer of 256 KiB or a
/// pipe of 1 MiB a direction. What is carried is added to `meter` as it is written.
///
/// Bulk data between two legs that are [sockets](Leg::socket) goes through the pipe by splice(2), and is
/// not seen by us. Splicing to a socket that takes no more raises SIGPIPE, which Rust programs ignore
/// unless they ask for it.
pub async fn copy(client: impl Leg, backend: impl Leg, meter: &Meter, stop: &CancellationToken) -> Ended {
    copy_with(client, backend, meter, stop, pool::of_process()).await
}

async fn copy_with(
    client: impl Leg,
    backend: impl Leg,
    meter: &Meter,
    stop: &CancellationToken,
    pool: &'static Pool,
) -> Ended {
    let begun = Instant::now();
    let (up, down) = (Flow::new(pool, meter.count_up()), Flow::new(pool, meter.count_down()));
    let mut both = Both { client, backend, up, down, look: None };
    let (by, why) = {
        let mut stopped = pin!(stop.cancelled());
        poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready((Side::Here, Why::Stopped)),
            Poll::Pending => both.poll(cx),
        })
        .await
    };
    if !why.is_orderly() {
        both.client.reset_on_drop();
        both.backend.reset_on_drop();
    }
    Ended { up: both.up.moved.own(), down: both.down.moved.own(), by, why, lasted: begun.elapsed() }
}

/// The two directions, and what they carry between.
struct Both<C, B> {
    client: C,
    backend: B,
    up: Flow,
    down: Flow,
    /// When the side that is not read is to be asked; only there once a side was not read.
    look: Option<Pin<Box<Sleep>>>,
}

impl<C: Leg, B: Leg> Both<C, B> {
    /// Does all that can be done now, unless that is so much that other tasks would wait for it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Side, Why)> {
        for _ in 0..TURNS {
            let (end, moved) = self.turn(cx);
            if let Some(end) = end {
                return Poll::Ready(end);
            }
            if moved {
                continue;
            }
            if !self.look_is_due(cx) {
                return Poll::Pending;
            }
            if let Some(end) = self.look_for_failure() {
                return Poll::Ready(end);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the directions take turns, a step each, so that neither starves the other of the task's
    /// budget. Tells how the connection ended, if it has, and whether anything could be done.
    fn turn(&mut self, cx: &mut Context<'_>) -> (Option<(Side, Why)>, bool) {
        let up = self.up.step(cx, &mut self.client, &mut self.backend, self.down.sink_error);
        if let Poll::Ready(Some(Broken::Source(why))) = up {
            return (Some((Side::Client, why)), true);
        }
        let down = self.down.step(cx, &mut self.backend, &mut self.client, self.up.sink_error);
        if let Poll::Ready(Some(Broken::Source(why))) = down {
            return (Some((Side::Backend, why)), true);
        }
        (self.verdict(), up.is_ready() || down.is_ready())
    }

    /// Once both directions are over. A side that no longer took data has ended it (in order, since its
    /// own stream was complete); otherwise the one whose end of file came first has.
    fn verdict(&self) -> Option<(Side, Why)> {
        let (up, down) = (&self.up, &self.down);
        if !up.is_over() || !down.is_over() {
            return None;
        }
        let by = match (up.sink_error.is_some(), down.sink_error.is_some()) {
            (true, _) => Side::Backend,
            (false, true) => Side::Client,
            (false, false) if up.ended_at <= down.ended_at => Side::Client,
            (false, false) => Side::Backend,
        };
        Some((by, Why::Eof))
    }

    /// Whether it is time to ask a side that is not read. The timer is set when it has fired, not when
    /// data moves, so that traffic costs no timer operation.
    fn look_is_due(&mut self, cx: &mut Context<'_>) -> bool {
        if self.up.is_reading() && self.down.is_reading() {
            return false;
        }
        let look = self.look.get_or_insert_with(|| Box::pin(tokio::time::sleep(LOOK)));
        let due = look.as_mut().poll(cx).is_ready();
        if due {
            look.as_mut().reset(tokio::time::Instant::now() + LOOK);
        }
        due
    }

    /// TCP keep-alive and resets end a connection that nobody reads, but nobody is told.
    fn look_for_failure(&mut self) -> Option<(Side, Why)> {
        if let Some(kind) = self.up.failure_of(&self.client, &mut self.down) {
            return Some((Side::Client, Why::Failed(kind)));
        }
        let kind = self.down.failure_of(&self.backend, &mut self.up)?;
        Some((Side::Backend, Why::Failed(kind)))
    }
}

#[cfg(test)]
mod tests;
