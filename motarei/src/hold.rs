//! Holding clients while no container is ready: for a bounded time, and a bounded number of them. What they
//! send stays in the kernel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use relay::Socket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::dial::{self, Reached};
use crate::keeper::Report;
use crate::routes::Routes;

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
    /// None is ready, and as many clients as may wait do.
    TooMany,
    /// It has reset the connection, or its host does not answer.
    ClientGone,
    /// We are stopping.
    Stopped,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => "no container was ready within --hold",
            Self::TooMany => "no container is ready, and --max-held clients wait already",
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
    /// Cancelled: give up.
    pub(crate) now: &'a CancellationToken,
}

impl Waiting<'_> {
    /// A container for `client`, at once or as soon as one is ready.
    ///
    /// # Errors
    /// [`Lost`] says why there is none.
    pub(crate) async fn reach(mut self, client: &Socket) -> Result<Reached, Lost> {
        let (now, begun) = (self.now.clone(), Instant::now());
        tokio::select! {
            biased;
            () = now.cancelled() => Err(Lost::Stopped),
            () = client.failed() => Err(Lost::ClientGone),
            reached = self.attempts(begun + self.app.hold) => reached,
        }
    }

    async fn attempts(&mut self, deadline: Instant) -> Result<Reached, Lost> {
        let mut held: Option<OwnedSemaphorePermit> = None;
        loop {
            let turn = if held.is_some() { Some(self.turn(deadline).await?) } else { None };
            let routes = self.routes.borrow_and_update().clone();
            let candidates = routes.at(self.place);
            if let Some(reached) = dial::first(candidates, self.app.connect_timeout, |c, why| {
                tracing::debug!(app = self.app.name, container = c.id.get(..12), address = %c.address, ?why, "not reached");
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
                held = Some(self.room.clone().try_acquire_owned().map_err(|_| Lost::TooMany)?);
            }
            let failed = !candidates.is_empty();
            tokio::select! {
                () = sleep_until(deadline) => return Err(Lost::NotReady),
                Ok(()) = self.routes.changed() => {}
                () = sleep(AGAIN), if failed => {}
            }
        }
    }

    /// A little later than the deadline is soon enough for a container that became ready just before it.
    async fn turn(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Lost> {
        let turn = timeout_at(deadline + self.app.connect_timeout, self.door.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(Lost::NotReady)
    }
}

#[cfg(test)]
mod tests;
