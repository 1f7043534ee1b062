//! A line of the map at work: a listener, and a task for each of its connections.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use daemon::accept::{self, Accepted, Stream};
use daemon::listen::{self, Listener};
use daemon::stop::Stop;
use relay::Socket;
use tracing::Instrument;

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::map::Map;
use crate::session;

/// Every line of a map, bound.
#[derive(Debug)]
pub struct Forwards(pub(crate) Vec<Forward>);

/// A bound socket, and where its connections go.
#[derive(Debug)]
pub(crate) struct Forward {
    listener: Listener,
    gateway: Arc<Endpoint>,
}

impl Forwards {
    /// Binds all lines, then logs every bound address.
    ///
    /// # Errors
    /// The first line that cannot be bound, as `file:line`; nothing stays bound.
    pub async fn bind(map: &Map) -> Result<Self> {
        let mut forwards = Vec::with_capacity(map.lines.len());
        for line in &map.lines {
            let listeners = listen::bind(&line.listen).await.with_context(|| map.place(line.number))?;
            let gateway = Arc::new(line.gateway.clone());
            forwards
                .extend(listeners.into_iter().map(|listener| Forward { listener, gateway: gateway.clone() }));
        }
        for Forward { listener, gateway } in &forwards {
            tracing::info!(address = %listener, url = %gateway, "listening");
        }
        Ok(Self(forwards))
    }

    /// The TCP addresses that are bound, in the order of the map.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|forward| forward.listener.tcp_addr().ok().flatten()).collect()
    }
}

impl Forward {
    /// Accepts until the drain begins.
    pub(crate) async fn serve(self, config: Arc<Config>, stop: Stop) {
        let Self { listener, gateway } = self;
        let listen = listener.to_string();
        accept::serve(listener, stop.draining.clone(), |Accepted { stream, peer }| {
            let span = tracing::error_span!("connection", %listen, url = %gateway, %peer);
            let (config, gateway, stopping) = (config.clone(), gateway.clone(), stop.clone());
            let serving = async move {
                session::serve(&config, &gateway, socket(stream), &stopping).await;
            };
            stop.tracker.spawn(serving.instrument(span));
        })
        .await;
    }
}

fn socket(stream: Stream) -> Socket {
    match stream {
        Stream::Tcp(stream) => stream.into(),
        Stream::Unix(stream) => stream.into(),
    }
}
