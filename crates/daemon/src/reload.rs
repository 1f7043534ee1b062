//! Files that are read again when they change and when SIGHUP comes.
//!
//! ```text
//! paths ── each second ──► stamps ──► settling: another stamp, the same for 1 s ──┐
//! SIGHUP ─────────────────────────────────────────────────────────────────────────┴─► consumer: reads and
//!                                                              parses all of it, then swaps ─► log, Counts
//! ```
//!
//! What fails to parse changes nothing: the error is logged and counted, once a change, and what was loaded
//! before stays in force. Files are compared by what a path leads to, so a renamed file and a swapped
//! directory (the `..data` link of a Kubernetes volume) are changes like any other. They are looked at, not
//! subscribed to: inotify does not see the far side of a link or of a network file system.

mod counts;
mod paths;
mod settling;
mod snapshot;
mod stamp;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use counts::Counts;
pub use paths::Paths;
use settling::{Look, Settling};
pub use snapshot::Snapshot;

/// How often files are looked at, give or take a tenth.
const PERIOD: Duration = Duration::from_secs(1);

/// A set of files that are reloaded together.
#[derive(Debug)]
pub struct Watch {
    what: &'static str,
    paths: Paths,
    counts: Arc<Counts>,
    hangup: Option<Signal>,
    refuses_empty: bool,
    settling: Settling,
    next_look: Instant,
}

/// Why files are read again.
#[derive(Debug, Clone, Copy)]
enum Trigger {
    Hangup,
    Change,
}

impl Watch {
    /// Watches `paths`, as they are now: to be made before the files are read for the first time, so that a
    /// change in between is not missed. `what` they are is for the log: "map". Inside a tokio runtime.
    pub fn new(what: &'static str, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let watched = Paths::default();
        watched.replace(paths);
        watched.loaded();
        Watch {
            what,
            paths: watched,
            counts: Arc::default(),
            hangup: None,
            refuses_empty: false,
            settling: Settling::default(),
            // At a random phase, so that the programs of a host do not all look at once.
            next_look: Instant::now() + PERIOD.mul_f64(rand::random_range(0.0..1.0)),
        }
    }

    /// Reloads on SIGHUP too, at once and whether or not a file has changed. The signal is caught from now
    /// on.
    ///
    /// # Errors
    /// If the handler cannot be installed.
    pub fn on_hangup(mut self) -> io::Result<Self> {
        self.hangup = Some(signal(SignalKind::hangup())?);
        Ok(self)
    }

    /// Takes an empty file where there was content for a mistake, such as a full disk or an editor's first
    /// step: the reload fails before the consumer is asked. A file can still be emptied while the consumer
    /// reads it, so a consumer to which empty makes no sense refuses it as well.
    pub fn refuse_empty(mut self) -> Self {
        self.refuses_empty = true;
        self
    }

    /// The files; for a consumer that finds the names of others in them.
    pub fn paths(&self) -> Paths {
        self.paths.clone()
    }

    /// How reloads went, for metrics.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Watches until `stop` is cancelled. `consumer` reads and parses everything, then swaps it; its error
    /// says file and line and goes to the log. What it was doing when `stop` came is dropped.
    pub async fn run<F, R>(mut self, stop: CancellationToken, mut consumer: F)
    where
        F: FnMut() -> R,
        R: Future<Output = anyhow::Result<()>>,
    {
        let watching = async {
            loop {
                let trigger = self.triggered().await;
                self.reload(trigger, &mut consumer).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }

    /// Waits for a reason to reload. What the files look like then is what the consumer is taken to read:
    /// if they change while it does, that is the next reason.
    async fn triggered(&mut self) -> Trigger {
        loop {
            let trigger = tokio::select! {
                () = received(&mut self.hangup) => Trigger::Hangup,
                () = sleep_until(self.next_look) => Trigger::Change,
            };
            let seen = self.paths.look().await;
            let now = Instant::now();
            let look = self.settling.look(&self.paths.known(), &seen, now);
            self.next_look = match look {
                Look::Unsettled { until } => until,
                Look::Same | Look::Changed => now + PERIOD.mul_f64(rand::random_range(0.9..1.1)),
            };
            if matches!((trigger, look), (Trigger::Hangup, _) | (_, Look::Changed)) {
                self.paths.know(seen);
                return trigger;
            }
        }
    }

    async fn reload<R>(&self, trigger: Trigger, consumer: &mut impl FnMut() -> R)
    where
        R: Future<Output = anyhow::Result<()>>,
    {
        let emptied = if self.refuses_empty { self.paths.emptied() } else { None };
        let outcome = match emptied {
            Some(path) => Err(anyhow::anyhow!("{}: an empty file is refused", path.display())),
            None => consumer().await,
        };
        self.counts.count(outcome.is_ok());
        match outcome {
            Ok(()) => {
                self.paths.loaded();
                tracing::info!(what = self.what, %trigger, "reloaded");
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(what = self.what, %trigger, error, "not reloaded, the old one stays");
            }
        }
    }
}

/// Never, without a signal to wait for.
async fn received(hangup: &mut Option<Signal>) {
    if let Some(signal) = hangup
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::Hangup => "SIGHUP",
            Trigger::Change => "change",
        })
    }
}

#[cfg(test)]
mod tests;
