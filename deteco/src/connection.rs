//! One accepted connection: requests in, answers out.
//!
//! No request that has come is lost because we close. A connection that shall end (the process drains, there are
//! too many, it was idle for long) *retires*: it answers whatever still comes, says `Connection: close` in the
//! answer after which the kernel has nothing more for us, and is closed without a word only if nothing came
//! for a while and a last look at the socket finds nothing.

mod activity;
mod watched;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use daemon::accept::Peer;
use http::header::{self, HeaderValue};
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::answer::Answer;
use crate::endpoint;
use crate::gate::Gate;
use activity::Activity;
use watched::Watched;

/// The largest head that is read.
const HEAD_BYTES: usize = 64 * 1024;
/// The most header lines in it: a client's 110 must not become a 500 of nginx.
const HEAD_LINES: usize = 1024;
/// What is read away of a body or a nonsense, after the last answer and for how long: a socket that is closed with
/// unread bytes in it is reset, and the peer may lose the answer.
const LINGER_BYTES: u64 = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// Serves requests until the connection is closed, out of time, or no longer wanted.
pub(crate) async fn serve<S>(gate: Arc<Gate>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + AsFd + Unpin,
{
    let _open = gate.metrics.connections.hold();
    let activity = Activity::new();
    let service = service_fn(|request: Request<Incoming>| {
        let begun = Instant::now();
        activity.asks(begun);
        let (head, body) = request.into_parts();
        // Before hyper reads on: it reads away what has come of the body, and if that is not all, it closes after
        // the answer. nginx sends a Content-Length and no body if its configuration forgets to clear it.
        drop(body);
        let version = head.version;
        let mut answer = endpoint::answer(&gate, head, peer, begun.into_std());
        let activity = &activity;
        async move {
            if activity.is_last() {
                close(&mut answer, version);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    // Both sizes: a buffer alone may hold a little more. One plain write an answer, of head and body together.
    http.max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES).max_headers(HEAD_LINES);
    http.header_read_timeout(None).writev(false);
    let mut http = http.serve_connection(TokioIo::new(Watched::new(stream, &activity)), service);
    let Some(ended) = speak(&gate, &activity, &mut http).await else { return };
    if let Err(error) = ended {
        if error.is_parse() {
            gate.metrics.unparsed.inc();
        }
        tracing::debug!(%peer, %error, "connection ended");
    }
    if let Some(stream) = http.into_parts().io.into_inner().unless_ended() {
        // In a box: a connection that is served shall not carry the buffer.
        Box::pin(linger(stream)).await;
    }
}

/// Drives the connection to its end; `None` if nothing came and nothing is there to be answered.
async fn speak<C: Future + Unpin>(gate: &Gate, activity: &Activity, http: &mut C) -> Option<C::Output> {
    let patience = gate.config.patience;
    let mut leave = gate.leave();
    let mut timer = pin!(sleep_until(activity.due(patience)));
    loop {
        tokio::select! {
            biased;
            () = gate.stop.now.cancelled(), if activity.is_retiring() => return None,
            () = leave.cancelled(), if !activity.is_retiring() => {
                leave = gate.leave();
                if gate.is_draining() {
                    activity.retire();
                    timer.as_mut().reset(Instant::now() + patience.quiet);
                    continue;
                }
                if Instant::now() < activity.heard() + patience.quiet {
                    continue;
                }
            }
            ended = &mut *http => return Some(ended),
            () = timer.as_mut() => {
                let due = activity.due(patience);
                if Instant::now() < due {
                    timer.as_mut().reset(due);
                    continue;
                }
            }
        }
        // The last look.
        activity.retire();
        let looked = poll_fn(|cx| Poll::Ready(Pin::new(&mut *http).poll(cx))).await;
        match looked {
            Poll::Ready(ended) => return Some(ended),
            Poll::Pending if Instant::now() < activity.due(patience) => {
                timer.as_mut().reset(activity.due(patience));
            }
            Poll::Pending => return None,
        }
    }
}

/// Says that this is the last answer. Under HTTP/1.0 that is what silence says.
fn close(answer: &mut Answer, version: Version) {
    match version {
        Version::HTTP_10 => *answer.version_mut() = Version::HTTP_10,
        _ => {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Lets the peer read its answer before the connection goes.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let reading = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Nobody is left to be told of an error.
    let _ = timeout(LINGER, reading).await;
}

#[cfg(test)]
mod tests;
