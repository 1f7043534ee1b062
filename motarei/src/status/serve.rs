//! Where the status is answered: at its address, until we drain; and beside it, until we end.

use std::sync::Arc;

use daemon::listen::{ListenAddr, Listener};
use monitor::{Busy, Status, StatusListener};
use tokio_util::sync::CancellationToken;

use super::{StatusAddress, siblings};

/// Answers at `address`, or on the inherited sockets, until we drain: then a successor may take the path. A former
/// generation may have it; it is tried for ever, since what is carried does not depend on it.
pub(crate) async fn serve(status: Arc<Status>, address: StatusAddress, inherited: Vec<Listener>) {
    make_directory(&address);
    let busy = if address.given { Busy::Waits } else { Busy::WaitsQuietly };
    let draining = status.draining.clone();
    match StatusListener::open(Some(address.address), inherited, busy).await {
        Ok(listener) => answer(listener, status, draining).await,
        Err(error) => tracing::warn!(error = said(error), "no status"),
    }
}

/// Answers beside `address` until `ended`: a successor does not know what we carry while we drain.
pub(crate) async fn serve_own(status: Arc<Status>, address: StatusAddress, ended: CancellationToken) {
    let ListenAddr::Unix(path) = &address.address else { return };
    make_directory(&address);
    siblings::sweep(path).await;
    let own = ListenAddr::Unix(siblings::own(path, std::process::id()));
    match StatusListener::open(Some(own), Vec::new(), Busy::Fails).await {
        Ok(listener) => answer(listener, status, ended).await,
        Err(error) => {
            tracing::info!(
                error = said(error),
                "while we drain, a successor will not know of our connections"
            );
        }
    }
}

async fn answer(listener: Option<StatusListener>, status: Arc<Status>, until: CancellationToken) {
    if let Some(listener) = listener {
        listener.serve(status, until).await;
    }
}

fn said(error: daemon::listen::ListenError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// That of the default; if it cannot be made, binding says why.
fn make_directory(StatusAddress { address, given }: &StatusAddress) {
    if let (ListenAddr::Unix(path), false) = (address, given)
        && let Some(directory) = path.parent()
    {
        let _ = std::fs::create_dir(directory);
    }
}
