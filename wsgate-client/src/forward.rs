//! A line of the map at work: its listeners, and a task for each of their connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use daemon::accept::{self, Accepted, Stream};
use daemon::listen::{self, ListenAddr, Listener};
use daemon::reload::Snapshot;
use relay::Socket;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::map::{Line, Map};
use crate::service::{Caller, Service};
use crate::session;

/// A line that could not be bound in a reload is tried again after so long.
const PAUSE: Duration = Duration::from_secs(5);

/// Every line of a map, bound.
#[derive(Debug)]
pub struct Forwards(pub(crate) Vec<Forward>);

/// What a line of the map stands for: the sockets, and where their connections go.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) listen: ListenAddr,
    pub(crate) gateway: Snapshot<Endpoint>,
    /// None yet: whoever serves it binds them.
    listeners: Vec<Listener>,
}

impl Forwards {
    /// Binds all lines, then logs every bound address.
    ///
    /// # Errors
    /// The first line that cannot be bound, as `file:line`; nothing stays bound.
    pub async fn bind(config: &Config, map: &Map) -> Result<Self> {
        let mut forwards = Vec::with_capacity(map.lines.len());
        for line in &map.lines {
            let mut forward = Forward::new(line);
            forward.listeners = listen::bind(&line.listen).await.with_context(|| map.place(line.number))?;
            forwards.push(forward);
        }
        forwards.iter().for_each(|forward| forward.log(config));
        Ok(Self(forwards))
    }

    /// The TCP addresses that are bound, in the order of the map.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.0.iter().flat_map(|forward| &forward.listeners);
        listeners.filter_map(|listener| listener.tcp_addr().ok().flatten()).collect()
    }
}

impl Forward {
    /// Not bound yet.
    pub(crate) fn new(line: &Line) -> Self {
        let gateway = Snapshot::new(line.gateway.clone());
        Self { listen: line.listen.clone(), gateway, listeners: Vec::new() }
    }

    fn log(&self, config: &Config) {
        let gateway = self.gateway.load();
        let proxy = config.proxy_for(&gateway).map(tracing::field::display);
        for listener in &self.listeners {
            tracing::info!(address = %listener, url = %gateway, proxy, "listening");
        }
    }

    /// Accepts until `close`, which a drain cancels too.
    pub(crate) async fn serve(mut self, service: Arc<Service>, close: CancellationToken) {
        if self.listeners.is_empty() {
            tokio::select! {
                () = close.cancelled() => return,
                () = self.bind_at_last(&service) => {}
            }
        }
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            let gateway = self.gateway.clone();
            accepting.spawn(accept(listener, gateway, service.clone(), close.clone()));
        }
        while accepting.join_next().await.is_some() {}
    }

    /// Somebody may hold the address for a while; the first failure is told, and the end of it.
    async fn bind_at_last(&mut self, service: &Service) {
        let mut told = None;
        loop {
            match listen::bind(&self.listen).await {
                Ok(listeners) => {
                    self.listeners = listeners;
                    return self.log(&service.config);
                }
                Err(error) if told.is_some() => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "not bound")
                }
                Err(error) => {
                    told = Some(service.metrics.unbound.hold());
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "a new line of the map is not listened on; trying every 5 s");
                }
            }
            sleep(PAUSE).await;
        }
    }
}

async fn accept(
    listener: Listener,
    gateway: Snapshot<Endpoint>,
    service: Arc<Service>,
    close: CancellationToken,
) {
    let _bound = service.metrics.listening.hold();
    let listen: Arc<str> = listener.to_string().into();
    accept::serve(listener, close, |Accepted { stream, peer }| {
        let gateway = gateway.load();
        let span = tracing::error_span!("connection", %listen, url = %gateway, %peer);
        let (caller, serving) = (Caller { listen: listen.clone(), gateway, peer }, service.clone());
        let serving = async move { session::serve(&serving, caller, socket(stream)).await };
        service.stop.tracker.spawn(serving.instrument(span));
    })
    .await;
}

fn socket(stream: Stream) -> Socket {
    match stream {
        Stream::Tcp(stream) => stream.into(),
        Stream::Unix(stream) => stream.into(),
    }
}
