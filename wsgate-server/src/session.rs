//! A request for a tunnel: admitted step by step, dialled, upgraded, carried to its end.

mod record;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use relay::{DialError, Socket};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tunnel::{Role, Settings, Wire};

use crate::audit::{self, Audit};
use crate::backend::Backend;
use crate::guarded::{Guarded, Progress};
use crate::identity::Caller;
use crate::limits::Permit;
use crate::metrics::Metrics;
use crate::proxies::Ends;
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::stream::Stream;
use crate::upgrade;

/// The last control frames of a tunnel get so long when `--write-timeout` is off.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers a request for `/proxy/{name}`: with 101, after which the tunnel is on its way, or a refusal.
pub(crate) async fn open(
    gate: &Arc<Gate>,
    mut request: Request<Incoming>,
    ends: Ends,
    progress: &Progress,
) -> Response<Full<Bytes>> {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let mut about = About::new(gate, &request, ends);
    let Admitted { key, backend, slot } = match about.admit(gate, &request) {
        Ok(admitted) => admitted,
        Err(refusal) => return about.refused(&refusal, &refusal.reason()),
    };
    about.session = audit::new_session();
    progress.dialling();
    let dialling = gate.metrics.dialling.hold();
    let waiting = Waiting { about: &about, answered: false };
    let dialled = backend.dial(&about.ends, gate.config.dial_timeout).await;
    waiting.end();
    drop(dialling);
    let socket = match dialled {
        Ok(socket) => socket,
        Err(error) => return about.refused(&unreachable(&error, &about), &format!("{:#}", anyhow!(error))),
    };
    tokio::spawn(carry(gate.clone(), about, on_upgrade, socket, slot));
    upgrade::switching(&key)
}

/// What the log says of a session.
#[derive(Debug)]
pub(crate) struct About {
    audit: Arc<Audit>,
    metrics: Arc<Metrics>,
    seq: u64,
    /// Empty until it is admitted.
    session: String,
    ends: Ends,
    forwarded_for: String,
    destination: String,
    caller: Option<Caller>,
    upstream: String,
    begun: Instant,
}

/// A tunnel that is open.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) about: Arc<About>,
    /// Its own.
    pub(crate) meter: relay::Meter,
    pub(crate) since: Instant,
}

/// What a session holds from its admission to its end.
struct Slot {
    _tracked: TaskTrackerToken,
    _permit: OwnedSemaphorePermit,
    _counted: Permit,
}

struct Admitted {
    key: http::HeaderValue,
    backend: Backend,
    slot: Slot,
}

impl About {
    fn new(gate: &Gate, request: &Request<Incoming>, ends: Ends) -> Self {
        let name = request.uri().path().strip_prefix("/proxy/").unwrap_or_default();
        Self {
            audit: gate.config.edge.audit.clone(),
            metrics: gate.metrics.clone(),
            seq: gate.next_seq(),
            session: String::new(),
            ends,
            // Anybody can say so: a stranger's word is not even logged.
            forwarded_for: match gate.config.edge.proxies.trust(ends.peer) {
                true => forwarded_for(request.headers()),
                false => String::new(),
            },
            destination: percent_decode_str(name).decode_utf8_lossy().into_owned(),
            caller: None,
            upstream: String::new(),
            begun: Instant::now(),
        }
    }

    /// The order is part of the protocol: form, origin, draining, caller, destination, limits.
    fn admit(&mut self, gate: &Gate, request: &Request<Incoming>) -> Result<Admitted, Refusal> {
        let key = upgrade::key(request)?;
        let policy = gate.config.policy.load();
        if !policy.origins.allow(request.headers()) {
            return Err(Refusal::Origin);
        }
        // Counted from here, so that a drain that begins now waits for it.
        let tracked = gate.stop.tracker.token();
        if gate.refuses_new() {
            return Err(Refusal::Draining);
        }
        let known = policy.identity.identify(request.headers(), self.ends.peer.ip(), SystemTime::now())?;
        self.caller = Some(known.caller.clone());
        let destination = policy.reach(&self.destination, &known)?;
        self.upstream = destination.address.to_string();
        let permit = gate.slots.clone().try_acquire_owned().map_err(|_| Refusal::Limit)?;
        let counted = policy.count(&gate.tally, &self.destination, destination, &known.caller)?;
        let slot = Slot { _tracked: tracked, _permit: permit, _counted: counted };
        let backend =
            Backend { address: destination.address.clone(), proxy_protocol: destination.proxy_protocol };
        Ok(Admitted { key, backend, slot })
    }

    /// `reason` is for the log alone.
    fn refused(&self, refusal: &Refusal, reason: &str) -> Response<Full<Bytes>> {
        tracing::info!(
            seq = self.seq,
            status = refusal.status().as_u16(),
            refusal = refusal.word(),
            reason,
            destination = self.destination,
            user = self.user(),
            upstream = self.upstream,
            peer = %self.ends.peer,
            "x-forwarded-for" = self.forwarded_for,
            ptime = self.begun.elapsed().as_secs_f64(),
            "refused"
        );
        self.metrics.refused.with(refusal.word()).inc();
        self.write_refused(refusal, reason);
        refusal.response()
    }
}

/// What a proxy says of where the caller is. It is logged and decides nothing.
fn forwarded_for(headers: &HeaderMap) -> String {
    let lines = headers.get_all("x-forwarded-for").iter();
    lines.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
}

/// The caller learns the destination's name and whether it was silent; addresses stay in our log.
fn unreachable(error: &DialError, about: &About) -> Refusal {
    let name = about.destination.clone();
    match error {
        DialError::TimedOut(_) => Refusal::DestinationTimeout { name },
        // The kernel's patience ended before ours.
        DialError::Refused(error) if error.kind() == ErrorKind::TimedOut => {
            Refusal::DestinationTimeout { name }
        }
        DialError::Name(_) | DialError::Refused(_) => Refusal::DestinationRefused { name },
    }
}

/// A caller that waits for its destination. If it leaves, hyper drops the dial, and this says so.
struct Waiting<'a> {
    about: &'a About,
    answered: bool,
}

impl Waiting<'_> {
    /// The dial is over, one way or the other.
    fn end(mut self) {
        self.answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.about.left();
        }
    }
}

/// From the upgrade to the end of the tunnel.
async fn carry(gate: Arc<Gate>, about: About, on_upgrade: OnUpgrade, socket: Socket, slot: Slot) {
    let wire = match upgraded(on_upgrade).await {
        Ok(wire) => wire,
        Err(error) => {
            tracing::debug!(seq = about.seq, error = %format!("{error:#}"), "no upgrade");
            return about.left();
        }
    };
    about.opened();
    let (about, meter) = (Arc::new(about), gate.meter.part());
    let open = Open { about: about.clone(), meter: meter.clone(), since: Instant::now() };
    let entered = (gate.open.enter(Arc::new(open)), gate.metrics.sessions.hold());
    let settings = Settings {
        control_timeout: gate.config.write_timeout.unwrap_or(CONTROL_TIMEOUT),
        limits: gate.config.edge.limits,
        stop: gate.stop.now.clone(),
        meter,
        tap: gate.config.dump.tap(about.seq),
        round_trip: Some(gate.metrics.round_trips.clone()),
    };
    let ended = tunnel::carry(socket, wire, settings).await;
    drop(entered);
    about.closed(&ended);
    drop(slot);
}

/// The bare connection, once the 101 is written.
async fn upgraded(on_upgrade: OnUpgrade) -> Result<Wire<Stream>> {
    let upgraded = on_upgrade.await.context("the 101 was not written")?;
    let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<Guarded>>() else {
        return Err(anyhow!("the upgraded connection is not the accepted one"));
    };
    Ok(Wire { stream: io.into_inner().into_stream(), early: read_buf.to_vec(), role: Role::Server })
}
