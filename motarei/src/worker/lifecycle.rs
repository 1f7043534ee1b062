//! What the worker does about what it is told and sees: a pure state machine.
//!
//! ```text
//!  Serving ── USR1 ──► Retiring ── a newer one serves, and ours is idle or its time is over ──► Stopping
//!     └────────────── TERM, INT ──────────┴─────────────────────────────────────────────────────►   │
//!                                                             once more, or it takes too long: Killing ◄──┘
//! ```

use std::time::Duration;

use daemon::stop::Last;
use rustix::process::Signal;
use tokio::time::Instant;

use super::sight::Sight;

/// Signals that come so soon after each other are one wish: a terminal, or systemd, tells the whole group, and
/// start_server passes on to us what it was told.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A connection that the proxy is about to make is counted after so long.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// USR1: there is a newer generation. It comes again with each further one.
    Retire,
    /// TERM, INT.
    Stop(Signal),
    /// The application's affair.
    Pass(Signal),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Nothing,
    /// The command gets this signal.
    Pass(Signal),
    /// The container is asked to end.
    Stop,
    /// It is not asked.
    Kill,
}

#[derive(Debug)]
pub(crate) struct Lifecycle {
    mine: Mine,
    phase: Phase,
    /// Which signal kills once a stop was asked for.
    last: Last,
    /// How long a newer one must have served before ours may end.
    settle: Duration,
    /// The newer one that serves, and since when it does.
    successor: Option<(String, Instant)>,
}

/// Whether it is known which container is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mine {
    NotYet,
    Known,
    /// The likeliest one: good enough to see what is newer, but the command is told and not that container.
    Presumed,
    /// It will not be: there is no protection then.
    Unknowable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Retiring {
        /// Since when newer ones have served without interruption.
        succeeded: Option<Instant>,
    },
    Stopping {
        /// When a signal first said so: one more, later, means it.
        told: Option<Instant>,
    },
    /// Nothing that is told any more makes it faster.
    Killing,
}

impl Lifecycle {
    pub(crate) fn new(last: Last, settle: Duration) -> Self {
        Self {
            mine: Mine::NotYet,
            phase: Phase::Serving,
            last,
            settle: settle.max(ON_ITS_WAY),
            successor: None,
        }
    }

    pub(crate) fn told(&mut self, told: Told, now: Instant) -> Deed {
        match (told, self.phase) {
            (Told::Pass(signal), _) => Deed::Pass(signal),
            (Told::Retire, Phase::Serving) => self.retire(),
            (Told::Retire, _) => Deed::Nothing,
            (Told::Stop(signal), Phase::Stopping { told: Some(first) }) => {
                if self.is_meant(signal, now - first) { self.kill() } else { Deed::Nothing }
            }
            (Told::Stop(_), Phase::Killing) => Deed::Nothing,
            (Told::Stop(_), Phase::Stopping { told: None }) => {
                self.phase = Phase::Stopping { told: Some(now) };
                Deed::Nothing
            }
            (Told::Stop(_), _) => self.stop(Some(now)),
        }
    }

    /// Whether a signal that comes `after` the one that asked for the stop is to kill.
    fn is_meant(&self, signal: Signal, after: Duration) -> bool {
        after >= AT_ONCE && (self.last == Last::Any || signal == Signal::INT)
    }

    /// It is known now which container is ours.
    pub(crate) fn found(&mut self) -> Deed {
        self.mine = Mine::Known;
        match self.phase {
            Phase::Stopping { .. } => Deed::Stop,
            Phase::Killing => Deed::Kill,
            _ => Deed::Nothing,
        }
    }

    /// The stop that a signal has asked for takes too long.
    pub(crate) fn overdue(&mut self) -> Deed {
        if self.phase == Phase::Killing { Deed::Nothing } else { self.kill() }
    }

    /// There is only a likeliest one.
    pub(crate) fn presumed(&mut self) {
        self.mine = Mine::Presumed;
    }

    /// It cannot be found out.
    pub(crate) fn lost(&mut self) -> Deed {
        self.mine = Mine::Unknowable;
        match self.phase {
            Phase::Retiring { .. } => self.stop(None),
            _ => Deed::Nothing,
        }
    }

    pub(crate) fn saw(&mut self, sight: &Sight, now: Instant) -> Deed {
        let Phase::Retiring { succeeded } = &mut self.phase else { return Deed::Nothing };
        let Sight::Succeeded(by) = sight else {
            *succeeded = None;
            self.successor = None;
            return Deed::Nothing;
        };
        let since = *succeeded.get_or_insert(now);
        // One that dies may be followed by the next one at once.
        let successor = self.successor.take().filter(|(name, _)| *name == by.by);
        let (_, proven_since) = self.successor.insert(successor.unwrap_or_else(|| (by.by.clone(), now)));
        let unused = by.connections == Some(0) || now - since >= by.drain;
        if unused && now - *proven_since >= self.settle { self.stop(None) } else { Deed::Nothing }
    }

    /// Whether it matters what newer ones do.
    pub(crate) fn is_watching(&self) -> bool {
        matches!(self.mine, Mine::Known | Mine::Presumed) && matches!(self.phase, Phase::Retiring { .. })
    }

    /// Whether the end of the command is what was wanted.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. } | Phase::Killing)
    }

    /// Whether a signal has asked for the stop, so that somebody waits for our end.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.phase, Phase::Stopping { told: Some(_) })
    }

    fn retire(&mut self) -> Deed {
        match self.mine {
            Mine::Unknowable => self.stop(None),
            _ => {
                self.phase = Phase::Retiring { succeeded: None };
                Deed::Nothing
            }
        }
    }

    /// Once: the engine is not asked anew by each further signal.
    fn kill(&mut self) -> Deed {
        self.phase = Phase::Killing;
        Deed::Kill
    }

    fn stop(&mut self, told: Option<Instant>) -> Deed {
        self.phase = Phase::Stopping { told };
        match self.mine {
            Mine::Known => Deed::Stop,
            // docker run, and most scripts, pass it on.
            _ => Deed::Pass(Signal::TERM),
        }
    }
}

/// How long a stop that was asked for by a signal may take before it is a kill: the engine may hang.
pub(crate) fn longest_stop(patience: Duration) -> Duration {
    patience + Duration::from_secs(20)
}

#[cfg(test)]
mod tests;
