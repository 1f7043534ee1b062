//! One tunnel on stdin and stdout, as ssh's ProxyCommand wants it.
//!
//! ```text
//! stdin  ──blocking read──► reader thread ──channel──► poll_read  ┐
//!                                                                 ├ relay::Leg ⇄ tunnel
//! stdout ◄─blocking write── writer thread ◄─channel─── poll_write ┘
//!    └─ poll(2): nobody reads any more ──► the tunnel is ended
//! ```
//!
//! The descriptors are inherited, and O_NONBLOCK would hold for everybody who has them, the user's shell
//! too; hence threads. They are not joined: a read that nobody answers must not keep the process alive.

mod leg;

use std::error::Error;
use std::io;
use std::time::Duration;

use daemon::stop::Stop;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use leg::Pipes;

use crate::attempt::Way;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::session;

/// How long the last words may take when a signal came, so that all is over within a second.
const LAST_WORDS: Duration = Duration::from_millis(900);

/// Cancelled by SIGHUP, SIGTERM and SIGINT, which are caught from now on. Inside a tokio runtime.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn ended_by_signals() -> io::Result<CancellationToken> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let end = CancellationToken::new();
    let ending = end.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = hangup.recv() => "SIGHUP",
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "signal received, the tunnel is ended");
        ending.cancel();
    });
    Ok(end)
}

/// Carries one tunnel to `gateway` on `pipes`. True if it ended in order; false if there was none, or it was
/// cut, by `end` or because nobody reads what it says.
pub async fn stdio(config: &Config, gateway: &Endpoint, pipes: Pipes, end: CancellationToken) -> bool {
    let mut stop = Stop::manual();
    stop.now = end.clone();
    let (leg, unread) = match pipes.into_leg() {
        Ok(pair) => pair,
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "stdin and stdout cannot be carried");
            return false;
        }
    };
    let carrying = session::carry_one(Way { config, gateway }, leg, &stop);
    let watching = async {
        unread.cancelled().await;
        tracing::info!("stdout is closed, the tunnel is ended");
        end.cancel();
        std::future::pending::<()>().await;
    };
    let deadline = async {
        end.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        in_order = carrying => in_order,
        () = watching => false,
        () = deadline => false,
    }
}
