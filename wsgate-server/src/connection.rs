//! One accepted connection: its arrival, then HTTP, requests in, answers or an upgrade out.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use daemon::accept::Peer;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use relay::Socket;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::arrival::{self, Lost};
use crate::guarded::{Deadlines, Guarded, Progress};
use crate::proxies::Ends;
use crate::run::Gate;
use crate::session;
use crate::stream::Stream;

/// The largest head that is read.
const HEAD_BYTES: usize = 64 * 1024;
/// The most header lines in it: balancers and proxies add theirs.
const HEAD_LINES: usize = 256;

/// Serves requests until the connection is closed, upgraded or out of time. When `closing` is cancelled, the
/// request in progress is answered, or the first one waited for, and then the connection is closed.
pub(crate) async fn serve(gate: Arc<Gate>, socket: Socket, peer: Peer, closing: CancellationToken) {
    let _counted = gate.metrics.http.hold();
    let deadlines = Deadlines { head: gate.config.handshake_timeout, write: gate.config.write_timeout };
    let due = deadlines.head.and_then(|head| Instant::now().checked_add(head));
    // In a box that is gone when HTTP begins: a kept connection shall not carry the state of a handshake.
    let arriving = Box::pin(arrival::arrive(&gate.config.edge, socket, peer, due));
    let arrived = tokio::select! {
        arrived = arriving => arrived,
        () = closing.cancelled(), if gate.has_own_sockets() => return,
    };
    match arrived {
        Ok((stream, ends)) => speak(&gate, (stream, due), ends, deadlines, closing).await,
        Err(lost) => log(lost, peer),
    }
}

/// Why a connection did not get as far as HTTP.
fn log(lost: Lost, peer: Peer) {
    let of_proxy = lost.is_of_proxy();
    let error = format!("{:#}", anyhow::Error::from(lost));
    match of_proxy {
        true => {
            tracing::info!(%peer, error, "a trusted proxy sent no PROXY header (see --proxy-protocol-in)")
        }
        false => tracing::debug!(%peer, error, "connection ended"),
    }
}

/// HTTP, from the first head, which is complete by `due`, to the end or an upgrade.
async fn speak(
    gate: &Arc<Gate>,
    (stream, due): (Stream, Option<Instant>),
    ends: Ends,
    deadlines: Deadlines,
    closing: CancellationToken,
) {
    let progress = Progress::default();
    let guarded = Guarded::new(stream, progress.clone(), deadlines, due);
    let service = service_fn(|request| {
        progress.answering(); // here, since hyper reads on before it first polls the answer
        let (gate, progress, closing) = (gate.clone(), progress.clone(), closing.clone());
        async move {
            let mut response = answer(&gate, request, ends, &progress).await;
            if closing.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
            }
            progress.idle();
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_BYTES).max_headers(HEAD_LINES).header_read_timeout(None);
    let mut connection = pin!(http.serve_connection(TokioIo::new(guarded), service).with_upgrades());
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = gate.crowded.notified() => {
                if progress.is_idle() {
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = closing.cancelled() => {
                // hyper closes a connection of which nothing has been read: its first request may be on the
                // way. With sockets of our own the process ends now, and does not wait for it.
                if !progress.is_untouched() || gate.refuses_new() {
                    connection.as_mut().graceful_shutdown();
                }
                break connection.await;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %ends.peer, error = %anyhow::Error::from(error).root_cause(), "connection ended");
    }
}

async fn answer(
    gate: &Arc<Gate>,
    request: Request<Incoming>,
    ends: Ends,
    progress: &Progress,
) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/" | "/live" => plain(StatusCode::OK, "OK\n"),
        "/ready" if gate.is_draining() => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/ready" if !gate.is_ready() => plain(StatusCode::SERVICE_UNAVAILABLE, "identity-not-ready\n"),
        "/ready" => plain(StatusCode::OK, "OK\n"),
        path if path.starts_with("/proxy/") => session::open(gate, request, ends, progress).await,
        _ => plain(StatusCode::NOT_FOUND, "not found; destinations are at /proxy/NAME\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
