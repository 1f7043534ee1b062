//! Holding clients while no container is ready: for a bounded time, and a bounded number of them. What they
//! send stays in the kernel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use monitor::Held;
use relay::Socket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::dial::{self, Reached};
use crate::fleet::Undialled;
use crate::keeper::Report;
use crate::routes::Routes;
use crate::tally::Tally;

/// Between two attempts at candidates that all failed, should the keeper not take them off the list.
const AGAIN: Duration = Duration::from_millis(100);

/// So many of those that waited are let in at once, each for as long as it takes an application to accept it:
/// 800 a second. All at once they would overflow the queue of one that has just begun to listen.
pub(crate) const LET_IN: usize = 16;
const ACCEPTED: Duration = Duration::from_millis(20);

/// Why a client got no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// None was ready in the time of `--hold`.
    NotReady,
    /// There were some, and none could be reached.
    Unreached,
    /// None is ready, and as many clients as may wait do.
    TooMany,
    /// There are as many connections as there may be.
    Crowded,
    /// The container did not take the PROXY header.
    NoHeader,
    /// It has reset the connection while it waited, or its host does not answer.
    GaveUp,
    /// It has reset the connection before it had to wait: it wanted nothing.
    ClientGone,
    /// We are stopping.
    Stopped,
}

impl Lost {
    /// Those that are failures.
    pub(crate) const COUNTED: [Self; 7] = [
        Self::NotReady,
        Self::Unreached,
        Self::TooMany,
        Self::Crowded,
        Self::NoHeader,
        Self::GaveUp,
        Self::Stopped,
    ];

    /// The word for metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not-ready",
            Self::Unreached => "unreached",
            Self::TooMany => "max-held",
            Self::Crowded => "max-connections",
            Self::NoHeader => "proxy-header",
            Self::GaveUp => "gave-up",
            Self::ClientGone => "gone",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => "no container was ready within --hold",
            Self::Unreached => "no container could be reached within --hold",
            Self::TooMany => "no container is ready, and --max-held clients wait already",
            Self::Crowded => "there are --max-connections",
            Self::NoHeader => "the PROXY header was not taken",
            Self::GaveUp => "the client has gone while it waited",
            Self::ClientGone => "the client has gone",
            Self::Stopped => "stopped",
        })
    }
}

/// What a waiting client needs.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) app: &'a App,
    pub(crate) place: &'a str,
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    pub(crate) reports: &'a mpsc::Sender<Report>,
    /// Permits to be held, for all apps together.
    pub(crate) room: &'a Arc<Semaphore>,
    /// Permits to be let in after waiting, of this app.
    pub(crate) door: &'a Arc<Semaphore>,
    pub(crate) tally: &'a Tally,
    /// Cancelled: give up.
    pub(crate) now: &'a CancellationToken,
}

/// A place among those that wait.
#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Held,
}

/// A client that resets so soon after it came wanted nothing: load balancers ask so whether anybody listens.
const AT_ONCE: Duration = Duration::from_secs(1);

fn gone(held: bool, begun: Instant) -> Lost {
    if held && begun.elapsed() >= AT_ONCE { Lost::GaveUp } else { Lost::ClientGone }
}

impl Waiting<'_> {
    /// A container for `client`, at once or as soon as one is ready.
    ///
    /// # Errors
    /// [`Lost`] says why there is none.
    pub(crate) async fn reach(mut self, client: &Socket) -> Result<Reached, Lost> {
        let (now, begun, mut held) = (self.now.clone(), Instant::now(), None);
        tokio::select! {
            biased;
            () = now.cancelled() => Err(Lost::Stopped),
            () = client.failed() => Err(gone(held.is_some(), begun)),
            reached = self.attempts(begun + self.app.hold, &mut held) => reached,
        }
    }

    /// Takes the place when it has to wait.
    async fn attempts(&mut self, deadline: Instant, held: &mut Option<Place>) -> Result<Reached, Lost> {
        loop {
            let turn = if held.is_some() { Some(self.turn(deadline).await?) } else { None };
            let routes = self.routes.borrow_and_update().clone();
            let candidates = routes.at(self.place);
            let mut told = Vec::new();
            if let Some(reached) = dial::first(candidates, self.app.connect_timeout, |c, why| {
                tracing::debug!(app = self.app.name, container = c.id.get(..12), address = %c.address, ?why, "not reached");
                // One that is silent is told when it is overtaken, and again at its end.
                if why != Undialled::TimedOut || !told.contains(&c.epoch) {
                    self.tally.undialled(&why);
                }
                told.push(c.epoch);
                // A full queue has enough of them.
                let _ = self.reports.try_send(Report { of: c.key(), why });
            })
            .await
            {
                if let Some(turn) = turn {
                    tokio::spawn(async move {
                        sleep(ACCEPTED).await;
                        drop(turn);
                    });
                }
                return Ok(reached);
            }
            drop(turn);
            if held.is_none() {
                *held = Some(self.place()?);
            }
            let failed = !candidates.is_empty();
            tokio::select! {
                () = sleep_until(deadline) => return Err(if failed { Lost::Unreached } else { Lost::NotReady }),
                Ok(()) = self.routes.changed() => {}
                () = sleep(AGAIN), if failed => {}
            }
        }
    }

    fn place(&self) -> Result<Place, Lost> {
        let permit = self.room.clone().try_acquire_owned().map_err(|_| Lost::TooMany)?;
        Ok(Place { _permit: permit, _counted: self.tally.held() })
    }

    /// A little later than the deadline is soon enough for a container that became ready just before it.
    async fn turn(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Lost> {
        let turn = timeout_at(deadline + self.app.connect_timeout, self.door.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(Lost::NotReady)
    }
}

#[cfg(test)]
mod tests;
