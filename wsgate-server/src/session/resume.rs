//! A request that resumes a session: led to the session's task, which answers it.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::HeaderValue;
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tunnel::dialect2::NoResume;
use tunnel::header::{Header, Request};
use tunnel::session_id::SessionHash;

use super::{About, Return, upgraded};
use crate::held::{End, NotFound, Owner};
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::upgrade;

/// A session that is here, and how far its client is.
pub(super) struct Found {
    hash: SessionHash,
    line: mpsc::Sender<Return>,
    received: u64,
    attempt: u32,
}

impl Gate {
    /// Whether it is a session of ours that is asked for, or was one.
    pub(super) fn knows(&self, wanted: Option<&Request>) -> bool {
        match wanted {
            Some(Request::Resume { session, .. }) => self.held.knows(session.hash(), Instant::now()),
            _ => false,
        }
    }

    fn not_found(&self, why: NotFound) -> Refusal {
        match why {
            NotFound::Unknown => {
                self.metrics.misrouted.inc();
                self.over(None)
            }
            NotFound::Over(end) => self.over(Some(end)),
            NotFound::Foreign => Refusal::Foreign,
            NotFound::TooOften => Refusal::TooOften,
        }
    }

    fn not_resumed(&self, why: NoResume) -> Refusal {
        match why {
            NoResume::Stale => Refusal::Stale,
            NoResume::Gone => self.over(Some(End::Gone)),
            NoResume::Finished => self.over(Some(End::Finished)),
            NoResume::Reset => self.over(Some(End::Reset)),
        }
    }

    fn over(&self, end: Option<End>) -> Refusal {
        Refusal::Over { end, instance: self.instance }
    }
}

impl Found {
    pub(super) fn find(
        gate: &Gate,
        hash: SessionHash,
        owner: &Owner,
        destination: &str,
    ) -> Result<Self, Refusal> {
        let line = gate.held.find(hash, owner, destination, Instant::now());
        let line = line.map_err(|why| gate.not_found(why))?;
        Ok(Self { hash, line, received: 0, attempt: 0 })
    }

    pub(super) fn at(self, received: u64, attempt: u32) -> Self {
        Self { received, attempt, ..self }
    }

    /// Asks the session to go on over this connection, and answers the request.
    pub(super) async fn resume(
        self,
        gate: &Gate,
        about: About,
        key: HeaderValue,
        on_upgrade: OnUpgrade,
    ) -> Response<Full<Bytes>> {
        let Self { hash, line, received, attempt } = self;
        let about = Arc::new(about);
        let (answer, answered) = oneshot::channel();
        let back = Return { about: about.clone(), received, attempt, upgraded: upgraded(on_upgrade), answer };
        let asked = line.try_send(back).map_err(|unsent| match unsent {
            mpsc::error::TrySendError::Full(_) => NotFound::TooOften,
            // It has ended since it was found.
            mpsc::error::TrySendError::Closed(_) => gate.held.end_of(hash, Instant::now()),
        });
        let answered = match asked {
            Ok(()) => answered.await.map_err(|_| gate.held.end_of(hash, Instant::now())),
            Err(why) => Err(why),
        };
        let refusal = match answered {
            Ok(Ok(received)) => {
                let agreed = Header { received: Some(received), ..Header::default() };
                return upgrade::switching(&key, Some(&agreed));
            }
            Ok(Err(why)) => gate.not_resumed(why),
            Err(why) => gate.not_found(why),
        };
        about.refused(&refusal, &refusal.reason())
    }
}
