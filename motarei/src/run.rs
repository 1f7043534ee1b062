//! The proxy from its first accept to its last connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon::log::Limited;
use daemon::stop::{How, Stop};
use monitor::Status;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection::Front;
use crate::discovery::{Discovery, Engaged};
use crate::hold::LET_IN;
use crate::keeper::Keeper;
use crate::listeners::Listeners;
use crate::metrics::Metrics;
use crate::status::{self, Limits, Sources};
use crate::tally::Tally;
use crate::{Config, Sockets};

/// How often it is said that there is no room.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Proxies until `stop` has drained. Discovery and probes go on meanwhile, for those who still wait.
pub async fn run(config: Config, mut sockets: Sockets, stop: Stop) -> How {
    let room = Arc::new(Semaphore::new(config.max_held));
    let slots = Arc::new(Semaphore::new(config.max_connections));
    let (own_in, own_out) = watch::channel(Vec::new());
    let (engaged, engaged_out) = watch::channel(Engaged::default());
    let (heard, heard_out) = watch::channel(Vec::new());
    let metadata = status::metadata(&config);
    let (metrics, registry) = Metrics::declare();
    let labels = config.apps.iter().map(|app| app.labels.clone()).collect();
    // Aborted when this function returns: nobody waits for them.
    let mut working = JoinSet::new();
    let mut fronts = Vec::new();
    for app in config.apps {
        let app = Arc::new(app);
        let tally = Tally::of(&app.name, &metrics);
        let (keeper, kept) = Keeper::new(app.clone(), own_out.clone(), tally.clone());
        working.spawn(keeper.run());
        let (room, slots, stop) = (room.clone(), slots.clone(), stop.clone());
        let crowded = Mutex::new(Limited::new(SAID_EVERY));
        let door = Arc::new(Semaphore::new(LET_IN));
        fronts.push(Arc::new(Front { app, kept, room, door, slots, stop, crowded, tally }));
    }
    let facts = fronts.iter().map(|front| front.kept.facts.clone()).collect();
    let sources = Sources {
        engine: config.engine.transport.to_string(),
        engaged: engaged_out,
        seen: fronts.iter().map(|front| front.kept.seen.clone()).collect(),
        heard: heard_out,
        room,
        limits: Limits { max_connections: config.max_connections, max_held: config.max_held },
        metadata,
        stop: stop.clone(),
    };
    sources.give(&metrics);
    let status = Arc::new(Status::new(Arc::new(registry), sources, stop.draining.clone()));
    working.spawn(Discovery::new(config.engine, labels, facts, engaged).run());
    let ended = CancellationToken::new();
    let own = tokio::spawn(status::serve_own(status.clone(), config.status.clone(), ended.clone()));
    working.spawn(status::serve(status, config.status, std::mem::take(&mut sockets.status)));
    let listeners = Listeners::new(fronts, sockets, own_in, heard);
    listeners.run(stop.draining.clone()).await;
    let how = stop.drained().await;
    ended.cancel();
    // Its file is gone then.
    let _ = own.await;
    tracing::info!(%how, "stopped");
    how
}

#[cfg(test)]
mod tests;
