//! One connection: a container for it, the PROXY header, the bytes both ways, and the line about its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::accept::{Accepted, Peer, Stream};
use daemon::stop::Stop;
use relay::proxy::Header;
use relay::{Ended, Side, Socket, Why};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::hold::{Lost, Waiting};
use crate::keeper::Kept;
use crate::pinned::{Watched, watch_pinned};
use crate::routes::Candidate;

/// What every connection of an app shares.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) app: Arc<App>,
    pub(crate) kept: Kept,
    /// Room for clients that wait, in all apps together.
    pub(crate) room: Arc<Semaphore>,
    /// Room for connections, in all apps together.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) stop: Stop,
}

/// Takes a connection to the listener `place`, if there is room for it.
pub(crate) fn accept(front: &Arc<Front>, place: &Arc<str>, accepted: Accepted) {
    let Ok(slot) = front.slots.clone().try_acquire_owned() else {
        let (app, peer) = (&front.app.name, accepted.peer);
        return tracing::warn!(%app, listener = %place, %peer, why = "there are --max-connections", "not served");
    };
    let (front, place) = (front.clone(), place.clone());
    front.stop.tracker.clone().spawn(async move {
        serve(&front, &place, accepted).await;
        drop(slot);
    });
}

/// Serves it to its end.
async fn serve(front: &Front, place: &str, Accepted { stream, peer }: Accepted) {
    let (app, begun) = (&front.app, Instant::now());
    let header = app.proxy_protocol.map(|version| header(&stream, peer).write(version));
    let client = match stream {
        Stream::Tcp(stream) => Socket::from(stream),
        Stream::Unix(stream) => Socket::from(stream),
    };
    let waiting = Waiting {
        app,
        place,
        routes: front.kept.routes.clone(),
        reports: &front.kept.reports,
        room: &front.room,
        now: &front.stop.now,
    };
    let reached = waiting.reach(&client).await;
    let waited = seconds(begun.elapsed());
    let (candidate, mut backend) = match reached {
        Ok(reached) => reached,
        // Dropped with bytes unread, it is a reset; else an orderly end, for which nothing was promised.
        Err(Lost::ClientGone) => {
            return tracing::info!(app = app.name, listener = %place, %peer, waited, why = %Lost::ClientGone, "not served");
        }
        Err(why) => {
            return tracing::warn!(app = app.name, listener = %place, %peer, waited, %why, "not served");
        }
    };
    if let Some(header) = header
        && !matches!(timeout(app.connect_timeout, backend.write_all(&header)).await, Ok(Ok(())))
    {
        let (container, address) = (candidate.id.get(..12), candidate.address);
        return tracing::warn!(app = app.name, listener = %place, %peer, container, %address, "the PROXY header was not taken");
    }
    let _counted = candidate.open.one_more();
    let (ended, cut) = carry(front, place, &candidate, client, backend).await;
    log(front, place, &candidate, peer, &ended, cut, waited);
}

/// Carries until the end; also says why, if we ended it.
async fn carry(
    front: &Front,
    place: &str,
    candidate: &Candidate,
    client: Socket,
    backend: Socket,
) -> (Ended, Option<&'static str>) {
    let cut = front.stop.now.child_token();
    let drained = async {
        front.stop.draining.cancelled().await;
        tokio::time::sleep(candidate.drain).await;
        "--drain is over"
    };
    let Some(idle) = front.app.old_idle_close else {
        return until(relay::copy(client, backend, &cut), drained, &cut).await;
    };
    let (client, activity) = Watched::new(client);
    let pinned = watch_pinned(front.kept.routes.clone(), place, candidate, activity, idle);
    let ends = async {
        tokio::select! {
            why = drained => why,
            () = pinned => "idle, and it pinned an old container",
        }
    };
    until(relay::copy(client, backend, &cut), ends, &cut).await
}

async fn until(
    copy: impl Future<Output = Ended>,
    ends: impl Future<Output = &'static str>,
    cut: &CancellationToken,
) -> (Ended, Option<&'static str>) {
    let mut copy = std::pin::pin!(copy);
    let why = tokio::select! {
        ended = &mut copy => return (ended, None),
        why = ends => why,
    };
    cut.cancel();
    (copy.await, Some(why))
}

/// Who connects to whom, before both are folded to one family by the header.
fn header(stream: &Stream, peer: Peer) -> Header {
    let destination: Option<SocketAddr> = match stream {
        Stream::Tcp(stream) => stream.local_addr().ok(),
        Stream::Unix(_) => None,
    };
    match (peer, destination) {
        (Peer::Tcp(source), Some(destination)) => Header::Tcp { source, destination },
        _ => Header::Unknown,
    }
}

fn log(
    front: &Front,
    place: &str,
    candidate: &Candidate,
    peer: Peer,
    Ended { up, down, by, why, lasted }: &Ended,
    cut: Option<&'static str>,
    waited: f64,
) {
    let (app, container, name) = (&front.app.name, candidate.id.get(..12), &candidate.name);
    let (address, path, lasted, by) =
        (candidate.address, candidate.path.name(), seconds(*lasted), by_whom(*by));
    let why = match (why, cut) {
        (Why::Stopped, Some(cut)) => cut.to_owned(),
        _ => why.to_string(),
    };
    tracing::info!(
        %app, listener = %place, %peer, container, %name, %address, path, up, down, seconds = lasted, waited, by, %why,
        "closed"
    );
}

fn by_whom(side: Side) -> &'static str {
    match side {
        Side::Backend => "container",
        other => other.name(),
    }
}

/// With milliseconds.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
