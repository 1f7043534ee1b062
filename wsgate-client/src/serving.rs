//! The lines that are served now, and how another map changes them.

use std::sync::Arc;

use daemon::listen::ListenAddr;
use daemon::reload::Snapshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::endpoint::Endpoint;
use crate::forward::{Forward, Forwards};
use crate::map::{Line, Map};
use crate::service::Service;

/// The served lines of a map.
pub(crate) struct Serving {
    service: Arc<Service>,
    lines: Vec<Served>,
}

/// A line with the task that serves it.
struct Served {
    listen: ListenAddr,
    gateway: Snapshot<Endpoint>,
    close: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Serving {
    pub(crate) fn new(service: Arc<Service>, forwards: Forwards) -> Self {
        let mut serving = Self { service, lines: Vec::new() };
        serving.lines = forwards.0.into_iter().map(|forward| serving.start(forward)).collect();
        serving.show();
        serving
    }

    fn start(&self, forward: Forward) -> Served {
        let (listen, gateway) = (forward.listen.clone(), forward.gateway.clone());
        let close = self.service.stop.draining.child_token();
        let serve = forward.serve(self.service.clone(), close.clone());
        Served { listen, gateway, close, accepting: tokio::spawn(serve) }
    }

    /// Serves what `map` says from now on. A line with the address of a served one takes it over; what is
    /// left of the old ones is closed before new ones are bound, which may want the same address. Tunnels
    /// are left alone.
    pub(crate) async fn follow(&mut self, map: &Map) {
        let mut old = std::mem::take(&mut self.lines);
        let kept: Vec<_> = map.lines.iter().map(|line| take(&mut old, &line.listen)).collect();
        for served in old {
            tracing::info!(address = %served.listen, "not in the map any more, closed");
            served.closed().await;
        }
        for (line, kept) in map.lines.iter().zip(kept) {
            let served = match kept {
                Some(served) => served.leads_to(line),
                None => self.start(Forward::new(line)),
            };
            self.lines.push(served);
        }
        self.show();
    }

    /// Lets the status see the lines.
    fn show(&self) {
        let lines = self.lines.iter().map(|served| (served.listen.clone(), served.gateway.clone()));
        self.service.lines.store(lines.collect());
    }

    /// Once all that is served has been closed.
    pub(crate) async fn closed(&mut self) {
        for served in self.lines.drain(..) {
            served.closed().await;
        }
    }
}

fn take(old: &mut Vec<Served>, listen: &ListenAddr) -> Option<Served> {
    let at = old.iter().position(|served| served.listen == *listen)?;
    Some(old.remove(at))
}

impl Served {
    fn leads_to(self, line: &Line) -> Self {
        if *self.gateway.load() != line.gateway {
            tracing::info!(address = %self.listen, url = %line.gateway, "new connections go elsewhere");
            self.gateway.store(line.gateway.clone());
        }
        self
    }

    async fn closed(self) {
        self.close.cancel();
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "a listener's task panicked");
        }
    }
}
