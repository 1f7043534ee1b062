//! The socket of the status, and who is answered on it.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::accept::{self, Accepted, Stream};
use daemon::listen::{self, ListenAddr, ListenError, Listener};
use daemon::log::Limited;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Status;
use super::answer::answer;
use super::host::Hosts;

/// What a question and its answer may take.
const EXCHANGE: Duration = Duration::from_secs(10);

/// What a question's head may take. Those who are slow must not keep out the others for long.
const HEAD: Duration = Duration::from_secs(2);

/// Who asks for the status are few.
const MOST: usize = 64;

/// Between two lines that say that there were more.
const SELDOM: Duration = Duration::from_secs(60);

/// An address that another process has is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// What it means that the address cannot be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The program cannot start.
    Fails,
    /// A former generation of us may have it until it drains: warn once, and try every second.
    Waits,
    /// The same where nobody asked for this address: it is only mentioned.
    WaitsQuietly,
}

impl Busy {
    /// A program whose service sockets are inherited may have a former generation.
    pub fn with_inherited(inherited: bool) -> Self {
        if inherited { Self::Waits } else { Self::Fails }
    }
}

/// Where the status is answered: sockets, or an address that will be tried again.
#[derive(Debug)]
pub struct StatusListener {
    address: Option<ListenAddr>,
    busy: Busy,
    listeners: Vec<Listener>,
}

impl StatusListener {
    /// Listens on the `inherited` sockets, or else on `address`; none if there is neither. Must be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be listened on, and `busy` says that this is one.
    pub async fn open(
        address: Option<ListenAddr>,
        inherited: Vec<Listener>,
        busy: Busy,
    ) -> Result<Option<Self>, ListenError> {
        let mut listeners = inherited;
        if let (true, Busy::Fails, Some(address)) = (listeners.is_empty(), busy, &address) {
            listeners = listen::bind(address).await?;
        }
        let is_any = !listeners.is_empty() || address.is_some();
        Ok(is_any.then_some(Self { address, busy, listeners }))
    }

    /// The sockets that are bound by now.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Answers until `until`; then the sockets are closed. That is the beginning of the drain, if a successor is
    /// to have the address, or the end of it.
    pub async fn serve(mut self, status: Arc<Status>, until: CancellationToken) {
        let ticking = tokio::spawn(status.registry.clone().tick_until(until.clone()));
        if self.listeners.is_empty() {
            self.listeners = tokio::select! {
                listeners = self.bound() => listeners,
                () = until.cancelled() => return,
            };
        }
        let room = Arc::new(Semaphore::new(MOST));
        let serving = mem::take(&mut self.listeners).into_iter().map(|listener| {
            announce(&listener);
            let hosts = Hosts::of(self.address.as_ref(), matches!(listener, Listener::Unix(_)));
            let door = Arc::new(Door { status: status.clone(), room: room.clone(), hosts });
            tokio::spawn(door.answer_at(listener, until.clone()))
        });
        for task in serving.collect::<Vec<_>>() {
            let _ = task.await;
        }
        let _ = ticking.await;
    }

    /// It is tried for ever, since what is carried does not depend on it.
    async fn bound(&self) -> Vec<Listener> {
        let Some(address) = &self.address else { return Vec::new() };
        let mut told = false;
        loop {
            match listen::bind(address).await {
                Ok(listeners) => return listeners,
                Err(error) => tell(&error, mem::replace(&mut told, true), self.busy),
            }
            sleep(AGAIN).await;
        }
    }
}

/// Whoever reaches it is told who is connected to what.
fn announce(listener: &Listener) {
    let is_open = listener.tcp_addr().ok().flatten().is_some_and(|address| !address.ip().is_loopback());
    match is_open {
        true => tracing::warn!(address = %listener, "status, for everybody who reaches this address"),
        false => tracing::info!(address = %listener, "status"),
    }
}

fn tell(error: &ListenError, told: bool, busy: Busy) {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    match (told, busy) {
        (true, _) => tracing::debug!(error = text, "no status"),
        (false, Busy::WaitsQuietly) => tracing::info!(error = text, "no status yet, trying every second"),
        (false, _) => tracing::warn!(error = text, "no status yet, trying every second"),
    }
}

/// What one socket's exchanges share.
struct Door {
    status: Arc<Status>,
    room: Arc<Semaphore>,
    hosts: Hosts,
}

impl Door {
    /// Until `until`; then the listener is closed.
    async fn answer_at(self: Arc<Self>, listener: Listener, until: CancellationToken) {
        let mut crowded = Limited::new(SELDOM);
        let answering = move |accepted: Accepted| {
            let Ok(permit) = self.room.clone().try_acquire_owned() else {
                if let Some(left_out) = crowded.admit(Instant::now()) {
                    tracing::warn!(
                        most = MOST,
                        left_out,
                        "too many ask for the status at once: not answered"
                    );
                }
                return;
            };
            let door = self.clone();
            tokio::spawn(async move {
                match accepted.stream {
                    Stream::Tcp(stream) => door.exchange(stream).await,
                    Stream::Unix(stream) => door.exchange(stream).await,
                }
                drop(permit);
            });
        };
        accept::serve(listener, until, answering).await;
    }

    async fn exchange(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let answering = service_fn(move |request| {
            let answer = answer(&request, &self.status, &self.hosts);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answering);
        // Whoever asks and goes away harms only itself.
        let _ = timeout(EXCHANGE, connection).await;
    }
}

#[cfg(test)]
mod tests;
