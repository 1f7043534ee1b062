//! The steps that a request passes before anything is dialled or resumed.

use std::time::{Duration, SystemTime};

use http::Request as HttpRequest;
use http::header::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tunnel::Role;
use tunnel::dialect2::Terms;
use tunnel::header::{Header, Request};
use tunnel::session_id::SessionId;

use super::About;
use super::resume::{Back, Found};
use crate::backend::Backend;
use crate::destinations::Destination;
use crate::held::{Owner, There};
use crate::limits::{Of, Permit};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::upgrade;

/// A session that was told to make room gets so long to do it.
const LEAVING: Duration = Duration::from_secs(1);

/// What a session holds from its admission to its end.
pub(super) struct Slot {
    _tracked: TaskTrackerToken,
    _permit: OwnedSemaphorePermit,
    _counted: Permit,
}

/// Who was let in.
pub(super) enum Admitted {
    /// For a tunnel of its own.
    New(Opening),
    /// Back to a session.
    Back { key: HeaderValue, found: Found },
}

/// A tunnel that is to be opened.
pub(super) struct Opening {
    pub(super) key: HeaderValue,
    pub(super) backend: Backend,
    pub(super) slot: Slot,
    /// `None`: dialect 1.
    pub(super) agreement: Option<Agreement>,
}

/// What is agreed on for a session of dialect 2.
pub(super) struct Agreement {
    pub(super) owner: Owner,
    pub(super) terms: Terms,
    pub(super) grace: Duration,
}

impl About {
    /// The order is part of the protocol: form, origin, draining, caller, destination, then limits or the
    /// session.
    pub(super) async fn admit(
        &mut self,
        gate: &Gate,
        request: &HttpRequest<()>,
    ) -> Result<Admitted, Refusal> {
        let key = upgrade::key(request)?;
        let wanted = upgrade::wanted(request.headers())?;
        self.dialect = if wanted.is_some() { 2 } else { 1 };
        if let Some(Request::Resume { session, .. }) = &wanted {
            self.session = session.hash().to_string();
        }
        let policy = gate.config.policy.load();
        if !policy.origins.allow(request.headers()) {
            return Err(Refusal::Origin);
        }
        // Counted from here, so that a drain that begins now waits for it.
        let tracked = gate.stop.tracker.token();
        if gate.refuses_new() && !gate.may_know(wanted.as_ref()) {
            return Err(Refusal::Draining);
        }
        let known = policy.identity.identify(request.headers(), self.ends.peer.ip(), SystemTime::now())?;
        self.caller = Some(known.caller.clone());
        let destination = policy.reach(&self.destination, &known)?;
        let owner = Owner::from(&known);
        let agreement = match wanted {
            None => None,
            Some(Request::New { window, resume }) => {
                let grace = gate.config.keeping.grace(destination.grace);
                let resume = resume && !grace.is_zero();
                let window = window.min(gate.config.keeping.window);
                let terms = Terms { role: Role::Server, window, resume };
                Some(Agreement { owner, terms, grace })
            }
            Some(Request::Resume { session, received, attempt }) => {
                let back = Back { hash: session.hash(), owner, received, attempt };
                return Ok(Admitted::Back { key, found: back.find(gate, self, tracked).await? });
            }
        };
        self.upstream = destination.address.to_string();
        let slot = self.slot(gate, &policy, destination, tracked).await?;
        let backend =
            Backend { address: destination.address.clone(), proxy_protocol: destination.proxy_protocol };
        Ok(Admitted::New(Opening { key, backend, slot, agreement }))
    }

    /// A place in every limit. Where a user has none left, a session of theirs that waits for its client in
    /// vain goes before they are refused.
    async fn slot(
        &self,
        gate: &Gate,
        policy: &Policy,
        destination: &Destination,
        tracked: TaskTrackerToken,
    ) -> Result<Slot, Refusal> {
        let permit = gate.slots.clone().try_acquire_owned().map_err(|_| Refusal::Limit)?;
        let count = || policy.count(&gate.tally, &self.destination, destination, self.user());
        let counted = match count() {
            Ok(counted) => counted,
            Err(full) => {
                self.make_room(gate, &full).await;
                count()?
            }
        };
        Ok(Slot { _tracked: tracked, _permit: permit, _counted: counted })
    }

    async fn make_room(&self, gate: &Gate, full: &Of) {
        let there = match full {
            Of::User(_) => There::Anywhere,
            Of::Destination(name) | Of::Both { destination: name, .. } => There::At(name),
        };
        if let Some(gone) = gate.held.end_longest_detached(self.user(), there) {
            let _ = timeout(LEAVING, gone.cancelled()).await;
        }
    }
}

impl Agreement {
    /// The answer to the upgrade.
    pub(super) fn header(&self, gate: &Gate, id: SessionId) -> Header {
        let header = Header { window: Some(self.terms.window), ..Header::default() };
        if !self.terms.resume {
            return Header { resume: Some(false), ..header };
        }
        Header {
            session: Some(id),
            instance: Some(gate.instance),
            grace: Some(self.grace),
            lifetime: gate.config.keeping.websocket_lifetime,
            ..header
        }
    }
}
