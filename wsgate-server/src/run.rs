//! The gateway from its first accept to its last tunnel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daemon::accept::{self, Accepted, Stream};
use daemon::listen::Listener;
use daemon::reload::Counts;
use daemon::roster::Roster;
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use monitor::{Status, StatusListener};
use relay::{Meter, Socket};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tunnel::dialect2::Budget;
use tunnel::session_id::Instance;

use crate::handover::{Directory, Handover};
use crate::held::{Caps, Held};
use crate::limits::Tally;
use crate::metrics::Metrics;
use crate::report::{self, Told};
use crate::session::{self, Line, Open};
use crate::{Config, connection};

/// What connections get to write their last answer when all tunnels have ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// So many questions of other processes are answered at once.
const ASKED: usize = 256;

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) config: Config,
    pub(crate) stop: Stop,
    pub(crate) slots: Arc<Semaphore>,
    /// Tunnels by user and destination.
    pub(crate) tally: Tally,
    /// Whether a new tunnel is refused while we drain: not if our sockets are inherited, since then only
    /// connections come to us that were made before.
    refuses_when_draining: bool,
    opened: AtomicU64,
    pub(crate) metrics: Arc<Metrics>,
    /// Of all tunnels.
    pub(crate) meter: Meter,
    pub(crate) open: Roster<Open>,
    /// The sessions that may be resumed.
    pub(crate) held: Held<Line>,
    /// The processes that may have the others.
    pub(crate) handover: Option<Handover>,
    /// The memory of all sessions.
    pub(crate) budget: Arc<Budget>,
    /// By it clients tell us from our like.
    pub(crate) instance: Instance,
    /// Of each set of files that is read again.
    pub(crate) reloads: Vec<Arc<Counts>>,
    /// Tells kept connections that there are too many of them.
    pub(crate) crowded: Notify,
}

impl Gate {
    fn new(
        config: Config,
        sockets: &Sockets,
        stop: Stop,
        metrics: Metrics,
        reloads: Vec<Arc<Counts>>,
        handover: Option<Handover>,
    ) -> Self {
        let keeping = &config.keeping;
        Self {
            held: Held::new(Caps { sessions: keeping.max_detached, bytes: keeping.max_detached_bytes }),
            handover,
            budget: Budget::new(keeping.buffer_limit),
            instance: Instance::random(),
            slots: Arc::new(Semaphore::new(config.max_connections)),
            tally: Tally::default(),
            config,
            stop,
            refuses_when_draining: !sockets.inherited,
            opened: AtomicU64::new(0),
            metrics: Arc::new(metrics),
            meter: Meter::default(),
            open: Roster::default(),
            reloads,
            crowded: Notify::new(),
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stop.draining.is_cancelled()
    }

    /// Whether callers can be verified.
    pub(crate) fn is_ready(&self) -> bool {
        self.config.policy.load().identity.is_ready()
    }

    pub(crate) fn refuses_new(&self) -> bool {
        self.refuses_when_draining && self.is_draining()
    }

    /// Whether the process ends when it no longer accepts.
    pub(crate) fn has_own_sockets(&self) -> bool {
        self.refuses_when_draining
    }

    /// The number of a request for a tunnel, from 1 on, for the log.
    pub(crate) fn next_seq(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Serves `sockets` until `stop` has drained, and tells how it goes on `status`.
///
/// Inherited sockets are closed as soon as the drain begins, and the status with them: who started us has a
/// successor accept, and tell. Our own go on being served until the last tunnel has ended, so that a balancer sees
/// `/ready` turn 503, a caller gets an answer, and an administrator sees what it still waits for.
pub async fn run(mut config: Config, sockets: Sockets, status: Option<StatusListener>, stop: Stop) {
    let over = CancellationToken::new();
    let _watched_until_here = over.clone().drop_guard();
    let mut reloads = config.edge.watch(&over);
    if let Some(reload) = config.reload.take() {
        reloads.push(reload.counts());
        tokio::spawn(reload.run(config.policy.clone(), over.clone()));
    }
    let (metrics, registry) = Metrics::declare();
    let (handover, neighbours) = handover(config.handover.take()).await.unzip();
    let gate = Arc::new(Gate::new(config, &sockets, stop.clone(), metrics, reloads, handover));
    report::read(&gate);
    // Until the last session has ended: nobody else can lead a client to it.
    let answering = neighbours.map(|listener| tokio::spawn(answer(gate.clone(), listener, over.clone())));
    if let Some(listener) = status {
        let status = Status::new(Arc::new(registry), Told(gate.clone()), stop.draining.clone());
        let until = if gate.has_own_sockets() { over.clone() } else { stop.draining.clone() };
        tokio::spawn(listener.serve(Arc::new(status), until));
    }
    let (deaf, closing) = (CancellationToken::new(), CancellationToken::new());
    let connections = TaskTracker::new();
    let accepting = TaskTracker::new();
    for listener in sockets.listeners {
        let (gate, closing, connections) = (gate.clone(), closing.clone(), connections.clone());
        accepting.spawn(accept::serve(listener, deaf.clone(), move |Accepted { stream, peer }| {
            let socket = match stream {
                Stream::Tcp(stream) => Socket::from(stream),
                Stream::Unix(stream) => Socket::from(stream),
            };
            if connections.len() >= gate.config.kept_connections {
                // Anybody can keep one for ten minutes with a request for `/`, and each has a descriptor
                // that a tunnel may need.
                tracing::debug!(open = connections.len(), "idle connections are closed to make room");
                gate.crowded.notify_waiters();
            }
            connections.spawn(connection::serve(gate.clone(), socket, peer, closing.clone()));
        }));
    }
    accepting.close();
    stop.draining.cancelled().await;
    if sockets.inherited {
        deaf.cancel();
        accepting.wait().await;
        closing.cancel();
        connections.close();
        // What was accepted is served: it has the handshake's time to ask for a tunnel.
        tokio::select! {
            () = connections.wait() => {}
            () = stop.now.cancelled() => {}
        }
    }
    let how = stop.drained().await;
    deaf.cancel();
    closing.cancel();
    connections.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, connections.wait()).await;
    over.cancel();
    if let Some(answering) = answering {
        let _ = answering.await; // its socket is removed
    }
    tracing::info!(%how, "stopped");
}

/// The other processes, and where they ask us. Without that we can serve, but not hand over.
async fn handover(directory: Option<Directory>) -> Option<(Handover, Listener)> {
    match Handover::listen(directory?).await {
        Ok((handover, listener)) => {
            tracing::info!(address = %listener, "listening for resumes that come to other processes");
            Some((handover, listener))
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(error, "no session is handed over after an upgrade (see --handover-dir)");
            None
        }
    }
}

/// Answers the other processes until `over`.
async fn answer(gate: Arc<Gate>, listener: Listener, over: CancellationToken) {
    let asked = Arc::new(Semaphore::new(ASKED));
    let on = |Accepted { stream, .. }| {
        let (Stream::Unix(stream), Ok(slot)) = (stream, asked.clone().try_acquire_owned()) else { return };
        let gate = gate.clone();
        tokio::spawn(async move {
            session::answer(&gate, stream).await;
            drop(slot);
        });
    };
    accept::serve(listener, over, on).await;
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::Args;

    const LIVE: &[u8] = b"GET /live HTTP/1.1\r\nHost: gw\r\n\r\n";

    /// All that comes on a connection until it is closed.
    async fn rest(connection: &mut TcpStream) -> String {
        let mut text = String::new();
        let reading = connection.read_to_string(&mut text);
        tokio::time::timeout(Duration::from_secs(5), reading).await.expect("it is closed").unwrap();
        text
    }

    #[tokio::test]
    async fn idle_connections_are_closed_when_there_are_too_many() {
        let (config, _) = Config::from_args(Args::parse_from(["wsgate-server"]), 200).unwrap();
        let most = config.kept_connections;
        let listeners = daemon::listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listeners[0].tcp_addr().unwrap().unwrap();
        let stop = Stop::manual();
        let running = tokio::spawn(run(config, Sockets { listeners, inherited: false }, None, stop.clone()));
        let mut kept = Vec::new();
        for _ in 0..most {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(LIVE).await.unwrap();
            connection.read_exact(&mut [0; 15]).await.unwrap();
            kept.push(connection);
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        late.write_all(LIVE).await.unwrap();
        late.read_exact(&mut [0; 15]).await.unwrap();
        for connection in &mut kept {
            rest(connection).await;
        }
        late.write_all(LIVE).await.unwrap();
        late.read_exact(&mut [0; 15]).await.expect("who came last is kept");
        stop.draining.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn what_inherited_sockets_have_accepted_is_answered_though_it_asks_after_the_signal() {
        let (config, _) = Config::from_args(Args::parse_from(["wsgate-server"]), 20_000).unwrap();
        let listeners = daemon::listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listeners[0].tcp_addr().unwrap().unwrap();
        let stop = Stop::manual();
        let running = tokio::spawn(run(config, Sockets { listeners, inherited: true }, None, stop.clone()));

        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(LIVE).await.unwrap();
        kept.read_exact(&mut [0; 15]).await.unwrap(); // both are accepted now
        stop.draining.cancel();
        rest(&mut kept).await;
        silent.write_all(LIVE).await.unwrap();
        let answer = rest(&mut silent).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
        running.await.unwrap();
    }
}
