//! A request for a tunnel: admitted step by step, dialled, upgraded, carried to its end; or led to the
//! session that it resumes.

mod admission;
mod dialect1;
mod dialect2;
mod dialling;
mod elsewhere;
mod handed;
mod record;
mod resume;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use daemon::roster::Entry;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tunnel::session_id::SessionId;
use tunnel::{Role, Settings, Wire};

use crate::audit::Audit;
use crate::guarded::{Guarded, Progress};
use crate::identity::Caller;
use crate::metrics::Metrics;
use crate::proxies::Ends;
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::stream::Stream;
use crate::upgrade;

use admission::{Admitted, Slot};
pub(crate) use dialect2::Line;
use dialect2::Return;
pub(crate) use handed::answer;

/// The last control frames of a tunnel get so long when `--write-timeout` is off.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);
/// A 101 is written by then, or its WebSocket never comes.
const UPGRADE: Duration = Duration::from_secs(10);

/// A WebSocket that is on its way.
type Upgraded = Pin<Box<dyn Future<Output = Result<Wire<Stream>>> + Send>>;

/// Answers a request for `/proxy/{name}`: with 101, after which the tunnel is on its way, or a refusal.
pub(crate) async fn open(
    gate: &Arc<Gate>,
    mut request: Request<Incoming>,
    ends: Ends,
    progress: &Progress,
) -> Response<Full<Bytes>> {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let request = request.map(drop);
    let mut about = About::new(gate, &request, ends);
    let admitted = match about.admit(gate, &request).await {
        Ok(admitted) => admitted,
        Err(refusal) => return about.refused(&refusal, &refusal.reason()),
    };
    let opening = match admitted {
        Admitted::New(opening) => opening,
        Admitted::Back { key, found } => return found.resume(gate, about, key, on_upgrade).await,
    };
    let id = SessionId::random();
    about.session = id.hash().to_string();
    let socket = match dialling::dial(gate, &about, &opening.backend, progress).await {
        Ok(socket) => socket,
        Err((refusal, reason)) => return about.refused(&refusal, &reason),
    };
    let Some(agreement) = opening.agreement else {
        tokio::spawn(dialect1::carry(gate.clone(), about, on_upgrade, socket, opening.slot));
        return upgrade::switching(&opening.key, None);
    };
    let header = agreement.header(gate, id);
    dialect2::begin(gate, about, agreement, id.hash(), (socket, opening.slot), upgraded(on_upgrade));
    upgrade::switching(&opening.key, Some(&header))
}

/// What the log says of a request, and of its session if it opens one.
#[derive(Debug)]
pub(crate) struct About {
    audit: Arc<Audit>,
    metrics: Arc<Metrics>,
    seq: u64,
    /// Empty until it is admitted.
    session: String,
    dialect: u8,
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
    /// How often it was resumed.
    pub(crate) resumes: AtomicU32,
    /// Whether it has no WebSocket now.
    pub(crate) detached: AtomicBool,
}

/// An open tunnel, shown and counted until this is dropped.
struct Entered {
    open: Arc<Open>,
    _entry: Entry<Open>,
    _counted: monitor::Held,
}

impl Open {
    fn enter(gate: &Gate, about: &Arc<About>, meter: relay::Meter) -> Entered {
        let open = Arc::new(Self {
            about: about.clone(),
            meter,
            since: Instant::now(),
            resumes: AtomicU32::new(0),
            detached: AtomicBool::new(false),
        });
        Entered { _entry: gate.open.enter(open.clone()), _counted: gate.metrics.sessions.hold(), open }
    }
}

impl About {
    fn new(gate: &Gate, request: &Request<()>, ends: Ends) -> Self {
        let name = request.uri().path().strip_prefix("/proxy/").unwrap_or_default();
        Self {
            audit: gate.config.edge.audit.clone(),
            metrics: gate.metrics.clone(),
            seq: gate.next_seq(),
            session: String::new(),
            dialect: 1,
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

    /// `reason` is for the log alone.
    fn refused(&self, refusal: &Refusal, reason: &str) -> Response<Full<Bytes>> {
        tracing::info!(
            seq = self.seq,
            session = self.session,
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

fn settings(gate: &Gate, about: &About, meter: relay::Meter) -> Settings {
    Settings {
        control_timeout: gate.config.write_timeout.unwrap_or(CONTROL_TIMEOUT),
        limits: gate.config.edge.limits,
        stop: gate.stop.now.clone(),
        meter,
        tap: gate.config.dump.tap(about.seq),
        round_trip: Some(gate.metrics.round_trips.clone()),
    }
}

/// The bare connection, once the 101 is written; which is soon.
fn upgraded(on_upgrade: OnUpgrade) -> Upgraded {
    Box::pin(async move {
        timeout(UPGRADE, to_wire(on_upgrade)).await.context("the 101 was not written in time")?
    })
}

/// The bare connection, once the 101 is written.
async fn to_wire(on_upgrade: OnUpgrade) -> Result<Wire<Stream>> {
    let upgraded = on_upgrade.await.context("the 101 was not written")?;
    let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<Guarded>>() else {
        return Err(anyhow!("the upgraded connection is not the accepted one"));
    };
    Ok(Wire { stream: io.into_inner().into_stream(), early: read_buf.to_vec(), role: Role::Server })
}
