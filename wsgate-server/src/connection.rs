//! One accepted connection while it speaks HTTP: requests in, answers or an upgrade out.

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
use tokio_util::sync::CancellationToken;

use crate::guarded::{Deadlines, Guarded, Progress};
use crate::run::Gate;
use crate::session;

/// The largest head that is read.
const HEAD_BYTES: usize = 64 * 1024;
/// The most header lines in it: balancers and proxies add theirs.
const HEAD_LINES: usize = 256;

/// Serves requests until the connection is closed, upgraded or out of time. When `closing` is cancelled, the
/// request in progress is answered, or the first one waited for, and then the connection is closed.
pub(crate) async fn serve(gate: Arc<Gate>, socket: Socket, peer: Peer, closing: CancellationToken) {
    let progress = Progress::default();
    let deadlines = Deadlines { head: gate.config.handshake_timeout, write: gate.config.write_timeout };
    let guarded = Guarded::new(socket, progress.clone(), deadlines);
    let service = service_fn(|request| {
        progress.answering(); // here, since hyper reads on before it first polls the answer
        let (gate, progress, closing) = (gate.clone(), progress.clone(), closing.clone());
        async move {
            let mut response = answer(&gate, request, peer, &progress).await;
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
        tracing::debug!(%peer, error = %anyhow::Error::from(error).root_cause(), "connection ended");
    }
}

async fn answer(
    gate: &Arc<Gate>,
    request: Request<Incoming>,
    peer: Peer,
    progress: &Progress,
) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/" | "/live" => plain(StatusCode::OK, "OK\n"),
        "/ready" if gate.is_draining() => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/ready" if !gate.is_ready() => plain(StatusCode::SERVICE_UNAVAILABLE, "identity-not-ready\n"),
        "/ready" => plain(StatusCode::OK, "OK\n"),
        path if path.starts_with("/proxy/") => session::open(gate, request, peer, progress).await,
        _ => plain(StatusCode::NOT_FOUND, "not found; destinations are at /proxy/NAME\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
