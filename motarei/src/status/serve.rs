//! The status over HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daemon::accept::{self, Accepted, Stream};
use daemon::listen::{self, ListenAddr, Listener};
use daemon::stop::Stop;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::document::{self, Document};
use super::seen::Seen;
use super::{StatusAddress, document::Engine, siblings};
use crate::discovery::Engaged;
use crate::listeners::Heard;

/// What a question and its answer may take.
const EXCHANGE: Duration = Duration::from_secs(10);

/// Who asks for the status are few.
const MOST: usize = 32;

/// Another process has the socket, a former generation of us perhaps: it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Where the document's parts come from.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) engine: String,
    pub(crate) engaged: watch::Receiver<Engaged>,
    pub(crate) seen: Vec<watch::Receiver<Seen>>,
    pub(crate) heard: watch::Receiver<Vec<Heard>>,
    /// The room for clients that wait, and how much there is.
    pub(crate) room: (Arc<Semaphore>, usize),
    pub(crate) stop: Stop,
}

impl Status {
    /// The document of now.
    pub(crate) fn document(&self) -> Document {
        let engaged = self.engaged.borrow().clone();
        let mut apps: Vec<_> = self.seen.iter().map(|seen| seen.borrow().now()).collect();
        for heard in self.heard.borrow().iter() {
            if let Some(app) = apps.get_mut(heard.app) {
                place(app, heard);
            }
        }
        let containers = apps.iter().flat_map(|app| &app.containers);
        Document {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            draining: self.stop.draining.is_cancelled(),
            engine: Engine {
                address: self.engine.clone(),
                version: engaged.version,
                api: engaged.api,
                error: engaged.error,
            },
            connections: containers.map(|container| container.connections).sum(),
            held: self.room.1 - self.room.0.available_permits(),
            apps,
        }
    }
}

/// Adds what is known of a listener to the one that is there for its containers.
fn place(app: &mut document::App, heard: &Heard) {
    let at = app.listeners.iter().position(|listener| listener.listen == heard.place);
    let at = at.unwrap_or_else(|| {
        let reason = nobodys(app, &heard.place);
        app.listeners.push(document::Listener { listen: heard.place.clone(), reason, ..Default::default() });
        app.listeners.len() - 1
    });
    let listener = &mut app.listeners[at];
    listener.bound = heard.bound.clone();
    listener.inherited = heard.inherited;
    listener.error = heard.error.clone();
    listener.failures = heard.failures;
}

/// Why a listener is there that no container is behind, if there are containers.
fn nobodys(app: &document::App, place: &str) -> Option<String> {
    let port = place.rsplit(':').next().unwrap_or(place);
    let why = || format!("no container has port {port}; which port is meant, --listen {place}=PORT says");
    (!app.containers.is_empty()).then(why)
}

/// Answers at `address`, or on the inherited sockets, until we drain: then a successor may take the path.
pub(crate) async fn serve(status: Arc<Status>, address: StatusAddress, inherited: Vec<Listener>) {
    let draining = status.stop.draining.clone();
    let listeners = match inherited.is_empty() {
        true => tokio::select! {
            listeners = bound(&address) => listeners,
            () = draining.cancelled() => return,
        },
        false => inherited,
    };
    let room = Arc::new(Semaphore::new(MOST));
    let serving = listeners.into_iter().map(|listener| {
        tracing::info!(address = %listener, "status");
        tokio::spawn(answer_at(listener, status.clone(), room.clone(), draining.clone()))
    });
    for task in serving.collect::<Vec<_>>() {
        let _ = task.await;
    }
}

/// Answers beside `address` until `ended`: a successor does not know what we carry while we drain.
pub(crate) async fn serve_own(status: Arc<Status>, address: StatusAddress, ended: CancellationToken) {
    let ListenAddr::Unix(path) = &address.address else { return };
    make_directory(&address);
    siblings::sweep(path).await;
    let own = siblings::own(path, std::process::id());
    match listen::bind(&ListenAddr::Unix(own)).await {
        Ok(listeners) => {
            let room = Arc::new(Semaphore::new(MOST));
            let answering = |listener| answer_at(listener, status.clone(), room.clone(), ended.clone());
            // A path is one listener.
            for answering in listeners.into_iter().map(answering) {
                answering.await;
            }
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::info!(%error, "while we drain, a successor will not know of our connections");
        }
    }
}

/// Until `until`; then the listener is closed.
async fn answer_at(listener: Listener, status: Arc<Status>, room: Arc<Semaphore>, until: CancellationToken) {
    let answering = |accepted: Accepted| {
        let Ok(permit) = room.clone().try_acquire_owned() else { return };
        let status = status.clone();
        tokio::spawn(async move {
            match accepted.stream {
                Stream::Tcp(stream) => exchange(stream, status).await,
                Stream::Unix(stream) => exchange(stream, status).await,
            }
            drop(permit);
        });
    };
    accept::serve(listener, until, answering).await;
}

/// It is tried for ever, since a former generation may have it; what is carried does not depend on it.
async fn bound(place: &StatusAddress) -> Vec<Listener> {
    make_directory(place);
    let StatusAddress { address, given } = place;
    let mut told = false;
    loop {
        match listen::bind(address).await {
            Ok(listeners) => return listeners,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                match (std::mem::replace(&mut told, true), given) {
                    (true, _) => tracing::debug!(%error, "no status"),
                    // After a hot restart the former generation has it until it drains.
                    (false, true) => tracing::warn!(%error, "no status yet, trying every second"),
                    (false, false) => tracing::info!(%error, "no status yet, trying every second"),
                }
                sleep(AGAIN).await;
            }
        }
    }
}

/// That of the default; if it cannot be made, binding says why.
fn make_directory(StatusAddress { address, given }: &StatusAddress) {
    if let (ListenAddr::Unix(path), false) = (address, given)
        && let Some(directory) = path.parent()
    {
        let _ = std::fs::create_dir(directory);
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, status: Arc<Status>) {
    let answering = service_fn(move |request| {
        let answer = answer(&request, &status);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answering);
    // Whoever asks and goes away harms only itself.
    let _ = timeout(EXCHANGE, connection).await;
}

fn answer(request: &Request<Incoming>, status: &Status) -> Response<Full<Bytes>> {
    let (code, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/status") => match serde_json::to_vec(&status.document()) {
            Ok(json) => (StatusCode::OK, "application/json", json),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string().into_bytes()),
        },
        (_, "/status") => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", b"only GET\n".to_vec()),
        _ => (StatusCode::NOT_FOUND, "text/plain", b"the status is at /status\n".to_vec()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
