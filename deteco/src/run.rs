//! The process from its first accept to its last answer.

use std::sync::Arc;

use daemon::accept::{self, Accepted, Stream};
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use monitor::{Registry, Status, StatusListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gate::Gate;
use crate::status::Told;
use crate::{Config, Metrics, Rules, connection};

/// What is accepted from.
#[derive(Debug)]
pub struct Doors {
    /// nginx asks there.
    pub service: Sockets,
    /// Monitoring asks there; if the service's are inherited until the drain begins, so that a successor can have
    /// the address.
    pub status: Option<StatusListener>,
}

/// Serves `doors` until `stop` has drained.
///
/// Inherited sockets are closed as soon as the drain begins: who started us has a successor accept what
/// comes, and what waits in the backlog. Our own are served a little longer, so that `/ready` is seen to turn 503,
/// and then until the backlog is empty.
pub async fn run(config: Config, rules: Rules, doors: Doors, stop: Stop) {
    let over = CancellationToken::new();
    let _kept_until_here = over.clone().drop_guard();
    let ((metrics, registry), upkeep) = (Metrics::declare(), rules.keeper.upkeep());
    metrics.read_from(&upkeep, rules.now.clone());
    tokio::spawn(rules.keeper.run(rules.now.clone(), over.clone()));
    let gate = Arc::new(Gate::new(config, rules.now, metrics, stop));
    if let Some(listener) = doors.status {
        let until = if doors.service.inherited { gate.stop.draining.clone() } else { over };
        tell(listener, registry, Told { gate: gate.clone(), upkeep }, until);
    }
    serve(gate, doors.service).await;
}

fn tell(listener: StatusListener, registry: Registry, told: Told, until: CancellationToken) {
    let draining = told.gate.stop.draining.clone();
    let status = Status::new(Arc::new(registry), told, draining);
    tokio::spawn(listener.serve(Arc::new(status), until));
}

async fn serve(gate: Arc<Gate>, sockets: Sockets) {
    let (quiet, stop) = (gate.config.patience.quiet, gate.stop.clone());
    let deaf = CancellationToken::new();
    let accepting = TaskTracker::new();
    for listener in sockets.listeners {
        let gate = gate.clone();
        let serve = move |accepted| start(&gate, accepted);
        match sockets.inherited {
            true => accepting.spawn(accept::serve(listener, stop.draining.clone(), serve)),
            false => accepting.spawn(accept::serve_out(listener, deaf.clone(), serve)),
        };
    }
    accepting.close();
    stop.draining.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(quiet), if !sockets.inherited => {}
        () = accepting.wait() => {}
        () = stop.now.cancelled() => {}
    }
    deaf.cancel();
    tokio::select! {
        () = accepting.wait() => {}
        () = stop.now.cancelled() => {}
    }
    let how = stop.drained().await;
    tracing::info!(%how, "stopped");
}

fn start(gate: &Arc<Gate>, Accepted { stream, peer }: Accepted) {
    let open = &gate.stop.tracker;
    gate.metrics.accepted.inc();
    if open.len() >= gate.config.max_connections {
        gate.metrics.crowded.inc();
        tracing::debug!(open = open.len(), "idle connections are closed to make room");
        gate.make_room();
    }
    stream.tune();
    match stream {
        Stream::Tcp(stream) => open.spawn(connection::serve(gate.clone(), stream, peer)),
        Stream::Unix(stream) => open.spawn(connection::serve(gate.clone(), stream, peer)),
    };
}

#[cfg(test)]
mod tests;
