//! The program's one door: everything configured and bound, until it is stopped.

use std::sync::Arc;

use daemon::stop::{How, Stop};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::forward::Forwards;

/// Serves `forwards` until `stop` says to drain, closes them, and waits for what is open.
pub async fn run(config: Config, forwards: Forwards, stop: Stop) -> How {
    let config = Arc::new(config);
    let mut accepting = JoinSet::new();
    for forward in forwards.0 {
        accepting.spawn(forward.serve(config.clone(), stop.clone()));
    }
    let how = stop.drained().await;
    while accepting.join_next().await.is_some() {}
    tracing::info!("stopped: {how}");
    how
}
