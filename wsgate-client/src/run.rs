//! The program's one door: everything configured and bound, until it is stopped.

use std::sync::Arc;

use anyhow::Result;
use daemon::reload::{Snapshot, Watch};
use daemon::roster::Roster;
use daemon::stop::{How, Stop};
use monitor::{Status, StatusListener};
use relay::Meter;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::forward::Forwards;
use crate::metrics::Metrics;
use crate::report::{self, Told};
use crate::service::Service;
use crate::serving::Serving;
use crate::wakes::SleepWatch;

/// Serves `forwards` until `stop` says to drain, closes them, and waits for what is open. What `watch` sees
/// is reloaded meanwhile: the map, and the files of the configuration. How it goes is told on `status`, until
/// the drain begins.
pub async fn run(
    config: Config,
    forwards: Forwards,
    status: Option<StatusListener>,
    stop: Stop,
    watch: Option<Watch>,
) -> How {
    let (metrics, registry) = Metrics::declare();
    let service = Arc::new(Service {
        config,
        stop: stop.clone(),
        metrics,
        meter: Meter::default(),
        open: Roster::default(),
        sleep: SleepWatch::start(),
        lines: Snapshot::new(Vec::new()),
        reloads: watch.as_ref().map(Watch::counts),
    });
    report::read(&service);
    let over = CancellationToken::new();
    let _told_until_here = over.clone().drop_guard();
    let serving = Arc::new(Mutex::new(Serving::new(service.clone(), forwards)));
    if let Some(listener) = status {
        let status = Status::new(Arc::new(registry), Told(service.clone()), stop.draining.clone());
        // To the end: nobody else is to have the address before.
        tokio::spawn(listener.serve(Arc::new(status), over.clone()));
    }
    let watching = async {
        let reload = || reload(service.clone(), serving.clone());
        if let Some(watch) = watch {
            watch.run(stop.draining.clone(), reload).await;
        }
    };
    let (how, ()) = tokio::join!(stop.drained(), watching);
    serving.lock().await.closed().await;
    tracing::info!("stopped: {how}");
    how
}

/// All files are read before anything is changed.
async fn reload(service: Arc<Service>, serving: Arc<Mutex<Serving>>) -> Result<()> {
    if let Some(map) = service.config.reload()? {
        serving.lock().await.follow(&map).await;
    }
    Ok(())
}
