//! What every connection shares.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use daemon::log::Limited;
use daemon::reload::Snapshot;
use daemon::stop::Stop;
use tokio_util::sync::CancellationToken;

use crate::decision_log::DecisionLog;
use crate::{Config, Metrics, Ruleset};

/// How often idle connections are asked to make room, at most: each time all of them wake up.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// The configuration, the rules as they are now, and the ways to tell a connection that it shall end.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) config: Config,
    pub(crate) rules: Snapshot<Ruleset>,
    pub(crate) log: DecisionLog,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Stop,
    leave: Mutex<Leave>,
}

/// Why the service cannot answer well, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// The process ends.
    Draining,
    /// No service has a key: every token is refused.
    NoKeys,
}

#[derive(Debug)]
struct Leave {
    token: CancellationToken,
    asked: Limited,
}

impl Gate {
    pub(crate) fn new(config: Config, rules: Snapshot<Ruleset>, metrics: Metrics, stop: Stop) -> Self {
        let leave = Leave { token: stop.draining.child_token(), asked: Limited::new(ASKED_EVERY) };
        let log = DecisionLog::new(config.log_allowed_every, config.proxies.clone());
        Self { config, rules, log, metrics, stop, leave: Mutex::new(leave) }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stop.draining.is_cancelled()
    }

    /// Cancelled when the process drains, or when idle connections shall make room. One for each connection,
    /// since polling a token takes a lock of its own.
    pub(crate) fn leave(&self) -> CancellationToken {
        self.state().token.child_token()
    }

    /// Asks idle connections to make room.
    pub(crate) fn make_room(&self) {
        let mut state = self.state();
        if state.asked.admit(Instant::now()).is_some() {
            let before = std::mem::replace(&mut state.token, self.stop.draining.child_token());
            drop(state); // not under the lock: it wakes all connections
            before.cancel();
        }
    }

    pub(crate) fn ready(&self) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        let has_key = self.rules.load().services.values().any(|service| !service.keys.keys().is_empty());
        if has_key { Ok(()) } else { Err(NotReady::NoKeys) }
    }

    fn state(&self) -> MutexGuard<'_, Leave> {
        self.leave.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NotReady {
    /// What `/ready` says.
    pub(crate) fn text(self) -> &'static str {
        match self {
            NotReady::Draining => "draining\n",
            NotReady::NoKeys => "no-keys\n",
        }
    }
}
