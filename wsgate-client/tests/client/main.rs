//! The client against gateways made by hand, in one process: what is asked, what is answered, and what the
//! application at the local end sees of it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in #[test] functions, not in what they call")]

mod certificates;
mod checking;
mod client;
mod credentials;
mod gateway;
mod google;
mod iap;
mod owner;
mod program;
mod proxy;
mod refusals;
mod reloading;
mod replacing;
mod resuming;
mod retrying;
mod stdio;
mod stopping;
mod tls;
mod upgrade;

use std::future::Future;
use std::time::Duration;

/// What `future` gives; a test that hangs fails instead.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it should not take so long")
}
