//! One connection: a container for it, the PROXY header, the bytes both ways, and the line about its end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use daemon::accept::{Accepted, Peer, Stream};
use daemon::log::Limited;
use daemon::stop::Stop;
use relay::proxy::Header;
use relay::{Ended, Side, Socket, Why};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::address::Path;
use crate::app::App;
use crate::dial::Reached;
use crate::ending::Cut;
use crate::fleet::Undialled;
use crate::half_open::Watch;
use crate::hold::{Lost, Waiting};
use crate::keeper::{Kept, Report};
use crate::pinned::{Watched, watch_pinned};
use crate::routes::Candidate;
use crate::tally::Tally;

/// A connection that ends so soon, without an answer, was perhaps taken by nobody.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What every connection of an app shares.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) app: Arc<App>,
    pub(crate) kept: Kept,
    /// Room for clients that wait, in all apps together.
    pub(crate) room: Arc<Semaphore>,
    /// Turns of those that have waited.
    pub(crate) door: Arc<Semaphore>,
    /// Room for connections, in all apps together.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) stop: Stop,
    /// Of connections for which there is no room.
    pub(crate) crowded: Mutex<Limited>,
    pub(crate) tally: Tally,
}

impl Front {
    fn lost(&self, why: Lost, waited: f64) {
        self.tally.lost(why);
        match why {
            Lost::TooMany | Lost::Crowded => self.log_crowded(why),
            Lost::ClientGone | Lost::GaveUp => tracing::info!(waited, %why, "not served"),
            // Dropped with bytes unread the socket is reset; else it ends in order, for nothing was promised.
            _ => tracing::warn!(waited, %why, "not served"),
        }
    }

    /// A crowd must not fill the log too.
    fn log_crowded(&self, why: Lost) {
        // Whatever a panic left, it still counts.
        let admitted = self.crowded.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        if let Some(left_out) = admitted {
            tracing::warn!(%why, left_out, "not served");
        }
    }

    /// A published port takes connections for an application that no longer does: then it closes at once.
    fn doubt(&self, candidate: &Candidate, ended: &Ended) {
        let closed = ended.by == Side::Backend && ended.down == 0 && ended.lasted < AT_ONCE;
        if closed && candidate.path == Path::Published {
            // The probe that follows decides. A full queue has enough of them.
            let _ = self.kept.reports.try_send(Report { of: candidate.key(), why: Undialled::TimedOut });
        }
    }
}

/// Takes a connection to the listener `place`, if there is room for it.
pub(crate) fn accept(front: &Arc<Front>, place: &Arc<str>, accepted: Accepted) {
    let span =
        tracing::error_span!("connection", listener = %place, app = front.app.name, peer = %accepted.peer);
    let Ok(slot) = front.slots.clone().try_acquire_owned() else {
        return span.in_scope(|| front.lost(Lost::Crowded, 0.0));
    };
    let (front, place) = (front.clone(), place.clone());
    let tracker = front.stop.tracker.clone();
    let serving = async move {
        serve(&front, &place, accepted).await;
        drop(slot);
    };
    tracker.spawn(serving.instrument(span));
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
        door: &front.door,
        tally: &front.tally,
        now: &front.stop.now,
    };
    let reached = waiting.reach(&client).await;
    let waited = seconds(begun.elapsed());
    let Reached { candidate, mut socket, counted: _counted } = match reached {
        Ok(reached) => reached,
        Err(why) => return front.lost(why, waited),
    };
    if let Some(header) = header
        && !matches!(timeout(app.connect_timeout, socket.write_all(&header)).await, Ok(Ok(())))
    {
        front.tally.lost(Lost::NoHeader);
        let (container, address) = (candidate.id.get(..12), candidate.address);
        return tracing::warn!(container, %address, why = %Lost::NoHeader, "not served");
    }
    let _open = front.tally.opened(begun.elapsed());
    let (ended, cut) = carry(front, place, &candidate, client, socket).await;
    front.tally.closed(&ended, cut);
    front.doubt(&candidate, &ended);
    log(&candidate, &ended, cut, waited);
}

/// Carries until the end; also says why, if we ended it.
async fn carry(
    front: &Front,
    place: &str,
    candidate: &Candidate,
    client: Socket,
    backend: Socket,
) -> (Ended, Option<Cut>) {
    let cut = front.stop.now.child_token();
    let watch = Watch::on(&backend);
    let ends = async {
        let drained = async {
            front.stop.draining.cancelled().await;
            tokio::time::sleep(candidate.drain).await;
        };
        tokio::select! {
            () = drained => {
                front.stop.overran();
                Cut::Drained
            }
            () = watch.is_half_open(&candidate.open.ended) => Cut::ContainerEnded,
        }
    };
    let Some(idle) = front.app.old_idle_close else {
        return until(relay::copy(client, backend, &front.tally.meter, &cut), ends, &cut).await;
    };
    let (client, activity) = Watched::new(client);
    let pinned = watch_pinned(front.kept.routes.clone(), place, candidate, activity, idle);
    let ends = async {
        tokio::select! {
            why = ends => why,
            () = pinned => Cut::Pinned,
        }
    };
    until(relay::copy(client, backend, &front.tally.meter, &cut), ends, &cut).await
}

async fn until(
    copy: impl Future<Output = Ended>,
    ends: impl Future<Output = Cut>,
    cut: &CancellationToken,
) -> (Ended, Option<Cut>) {
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

fn log(candidate: &Candidate, ended: &Ended, cut: Option<Cut>, waited: f64) {
    let Ended { up, down, by, why, lasted } = ended;
    let (container, name, address, path) =
        (candidate.id.get(..12), &candidate.name, candidate.address, candidate.path.name());
    let (seconds, by) = (seconds(*lasted), by_whom(*by));
    let why = match (why, cut) {
        (Why::Stopped, Some(cut)) => cut.to_string(),
        _ => why.to_string(),
    };
    tracing::info!(container, %name, %address, path, up, down, seconds, waited, by, %why, "closed");
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

#[cfg(test)]
mod tests;
