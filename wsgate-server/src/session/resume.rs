//! A request that resumes a session: led to the session's task, here or in another process, which answers it.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::HeaderValue;
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tunnel::header::{Header, Request};
use tunnel::session_id::{Instance, SessionHash};

use super::elsewhere::Elsewhere;
use super::{About, Line, Return, Upgraded, upgraded};
use crate::held::{NotFound, Owner};
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::upgrade;

/// A client that comes back: to which session, and how far it is.
pub(super) struct Back {
    pub(super) hash: SessionHash,
    pub(super) owner: Owner,
    pub(super) received: u64,
    pub(super) attempt: u32,
}

/// The session it comes back to.
pub(super) enum Found {
    Here(Here),
    Elsewhere(Elsewhere),
}

/// A session that is here, and how far its client is.
pub(super) struct Here {
    hash: SessionHash,
    line: Line,
    received: u64,
    attempt: u32,
}

impl Gate {
    /// Whether it is a session that is asked for, and it is or was one of ours, or perhaps another process's.
    pub(super) fn may_know(&self, wanted: Option<&Request>) -> bool {
        match wanted {
            Some(Request::Resume { session, .. }) => {
                self.handover.is_some() || self.held.knows(session.hash(), Instant::now())
            }
            _ => false,
        }
    }

    /// What a client is told of it; `instance` says so.
    pub(super) fn not_found(&self, why: NotFound, instance: Instance) -> Refusal {
        match why {
            NotFound::Unknown if self.refuses_new() => Refusal::Draining,
            NotFound::Unknown => {
                self.metrics.misrouted.inc();
                Refusal::Over { end: None, instance }
            }
            NotFound::Over(end) => Refusal::Over { end: Some(end), instance },
            NotFound::Foreign => Refusal::Foreign,
            NotFound::TooOften => Refusal::TooOften,
            NotFound::Stale => Refusal::Stale,
        }
    }
}

impl Back {
    /// The session, or why there is none. `tracked` is for as long as we are needed to reach it.
    pub(super) async fn find(
        self,
        gate: &Gate,
        about: &About,
        tracked: TaskTrackerToken,
    ) -> Result<Found, Refusal> {
        match self.here(gate, &about.destination) {
            Ok(here) => Ok(Found::Here(here)),
            Err(NotFound::Unknown) => Elsewhere::find(gate, about, self, tracked).await.map(Found::Elsewhere),
            Err(why) => Err(gate.not_found(why, gate.instance)),
        }
    }

    /// The session, if it is here.
    pub(super) fn here(&self, gate: &Gate, destination: &str) -> Result<Here, NotFound> {
        let Self { hash, received, attempt, .. } = *self;
        let line = gate.held.find(hash, &self.owner, destination, Instant::now())?;
        Ok(Here { hash, line, received, attempt })
    }
}

impl Found {
    /// Has the session go on over this connection, and answers the request.
    pub(super) async fn resume(
        self,
        gate: &Gate,
        about: About,
        key: HeaderValue,
        on_upgrade: OnUpgrade,
    ) -> Response<Full<Bytes>> {
        let about = Arc::new(about);
        let received = match self {
            Self::Here(here) => here.ask(gate, about.clone(), upgraded(on_upgrade)).await,
            Self::Elsewhere(elsewhere) => Ok(elsewhere.go_on(gate, about.clone(), on_upgrade)),
        };
        match received {
            Ok(received) => {
                let agreed = Header { received: Some(received), ..Header::default() };
                upgrade::switching(&key, Some(&agreed))
            }
            Err(why) => {
                let refusal = gate.not_found(why, gate.instance);
                about.refused(&refusal, &refusal.reason())
            }
        }
    }
}

impl Here {
    /// Has the session wait for `upgraded`, the next WebSocket of the client that `about` tells of. Returns what
    /// it has received.
    pub(super) async fn ask(
        self,
        gate: &Gate,
        about: Arc<About>,
        upgraded: Upgraded,
    ) -> Result<u64, NotFound> {
        let Self { hash, line, received, attempt } = self;
        let (answer, answered) = oneshot::channel();
        let back = Box::new(Return { about, received, attempt, upgraded, answer });
        // It may have ended since it was found.
        let ended = || gate.held.end_of(hash, Instant::now());
        line.try_send(back).map_err(|unsent| match unsent {
            mpsc::error::TrySendError::Full(_) => NotFound::TooOften,
            mpsc::error::TrySendError::Closed(_) => ended(),
        })?;
        Ok(answered.await.map_err(|_| ended())??)
    }
}
