//! The program's one door: everything configured and bound, until it is stopped.

use std::sync::Arc;

use anyhow::Result;
use daemon::reload::Watch;
use daemon::stop::{How, Stop};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::forward::Forwards;
use crate::serving::Serving;

/// Serves `forwards` until `stop` says to drain, closes them, and waits for what is open. What `watch` sees
/// is reloaded meanwhile: the map, and the files of the configuration.
pub async fn run(config: Config, forwards: Forwards, stop: Stop, watch: Option<Watch>) -> How {
    let config = Arc::new(config);
    let serving = Arc::new(Mutex::new(Serving::new(config.clone(), stop.clone(), forwards)));
    let watching = async {
        let reload = || reload(config.clone(), serving.clone());
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
async fn reload(config: Arc<Config>, serving: Arc<Mutex<Serving>>) -> Result<()> {
    if let Some(map) = config.reload()? {
        serving.lock().await.follow(&map).await;
    }
    Ok(())
}
