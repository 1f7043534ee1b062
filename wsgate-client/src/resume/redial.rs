//! Getting the next WebSocket of a session, attempt after attempt.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tunnel::header::Request;
use tunnel::session_id::{Instance, SessionId};

use crate::attempt::{AttemptError, Reached, Way};
use crate::cookies::Cookies;
use crate::retry::{Budget, jittered};
use crate::upgrade::{Granted, Wanted};

/// The longest that a connection takes.
const REACH: Duration = Duration::from_secs(20);
/// The longest that the gateway takes to answer; it need not dial.
const ANSWER: Duration = Duration::from_secs(10);
/// The pause after the first attempt that failed; it doubles, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The same for a hand-over: the old WebSocket works.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// What is known of a session that can be resumed.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: SessionId,
    /// The process that has it.
    pub(crate) instance: Option<Instance>,
    /// How long it is kept without a WebSocket.
    pub(crate) grace: Duration,
    pub(crate) cookies: Cookies,
}

/// The attempts of a session. At most one is under way.
pub(super) struct Redial<'w> {
    way: Way<'w>,
    pub(super) kept: Kept,
    stage: Stage<'w>,
    /// Upgrades that were begun in all.
    pub(super) attempt: u32,
    /// Attempts since a WebSocket was of use.
    tries: u32,
    /// Hand-overs that came to nothing, in a row.
    failed_hand_overs: u32,
    renewal: Renewal,
}

/// Whether a new credential was asked for since the last WebSocket was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    NotYet,
    Wanted,
    Done,
}

type Attempt<'w, T> = Pin<Box<dyn Future<Output = Result<T, AttemptError>> + Send + 'w>>;

enum Stage<'w> {
    Idle,
    Waiting(Instant),
    Reaching(Attempt<'w, Reached<'w>>),
    Asking(Attempt<'w, Granted>),
}

/// What has come of the present stage.
pub(super) enum Step<'w> {
    /// The pause is over.
    Due,
    /// The session is to begin an upgrade, which goes to [`Redial::ask`].
    Reached(Box<Reached<'w>>),
    Granted(Box<Granted>),
    Failed(AttemptError),
}

impl<'w> Redial<'w> {
    pub(super) fn new(way: Way<'w>, kept: Kept) -> Self {
        let renewal = Renewal::NotYet;
        Self { way, kept, stage: Stage::Idle, attempt: 0, tries: 0, failed_hand_overs: 0, renewal }
    }

    /// The next step; never, if no attempt is wanted. May be dropped and called again.
    pub(super) async fn step(&mut self) -> Step<'w> {
        match &mut self.stage {
            Stage::Idle => std::future::pending().await,
            Stage::Waiting(until) => {
                sleep_until(*until).await;
                Step::Due
            }
            Stage::Reaching(reaching) => {
                let result = reaching.await;
                self.stage = Stage::Idle;
                if result.is_ok() && self.renewal == Renewal::Wanted {
                    self.renewal = Renewal::Done;
                }
                result.map_or_else(Step::Failed, |reached| Step::Reached(Box::new(reached)))
            }
            Stage::Asking(asking) => {
                let result = asking.await;
                self.stage = Stage::Idle;
                result.map_or_else(Step::Failed, |granted| Step::Granted(Box::new(granted)))
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// A WebSocket is lost: the next one is wanted. What is under way may be just that. Without a pause, if it
    /// was of use: balancers and networks that cut again and again must not make the pauses between them grow.
    pub(super) fn lost(&mut self, of_use: bool) {
        self.failed_hand_overs = 0;
        if of_use {
            self.tries = 0;
        }
        if !self.is_under_way() {
            match self.tries {
                0 => self.dial(),
                tries => drop(self.wait(backoff(tries))),
            }
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Reaching(_) | Stage::Asking(_))
    }

    /// Begins an attempt now, unless one is under way.
    pub(super) fn at_once(&mut self) {
        if !self.is_under_way() {
            self.dial();
        }
    }

    /// Begins an attempt now, in place of one that may have slept.
    pub(super) fn afresh(&mut self) {
        self.tries = 0;
        self.dial();
    }

    /// The next attempt is to have a new credential. One that is on its way with the old one is given up.
    pub(super) fn renew(&mut self) {
        if self.renewal != Renewal::Wanted && matches!(self.stage, Stage::Reaching(_)) {
            self.stage = Stage::Idle;
        }
        self.renewal = Renewal::Wanted;
    }

    pub(super) fn has_renewed(&self) -> bool {
        self.renewal == Renewal::Done
    }

    pub(super) fn dial(&mut self) {
        self.tries = self.tries.saturating_add(1);
        let (way, budget) = (self.way, Budget::new(Some(REACH)));
        self.stage = Stage::Reaching(match self.renewal {
            Renewal::Wanted => Box::pin(way.reach_renewed(budget)),
            Renewal::NotYet | Renewal::Done => Box::pin(way.reach(budget)),
        });
    }

    /// Sends the upgrade of a session that has received so much.
    pub(super) fn ask(&mut self, reached: Reached<'w>, received: u64) {
        self.attempt += 1;
        let tunnel = Request::Resume { session: self.kept.id, received, attempt: self.attempt };
        let wanted = Wanted { tunnel, cookies: self.kept.cookies.to_value() };
        let budget = Budget::new(Some(ANSWER));
        self.stage = Stage::Asking(Box::pin(async move { reached.ask(budget, &wanted).await }));
    }

    /// A WebSocket is had.
    pub(super) fn succeeded(&mut self) {
        self.failed_hand_overs = 0;
        self.renewal = Renewal::NotYet;
    }

    /// An attempt without a WebSocket has failed; the gateway may have said when to come back. Tells the pause.
    pub(super) fn again(&mut self, asked_for: Option<Duration>) -> Duration {
        self.wait(backoff(self.tries).max(asked_for.unwrap_or_default()))
    }

    /// A hand-over has failed. Tells the pause.
    pub(super) fn hand_over_later(&mut self) -> Duration {
        self.failed_hand_overs = self.failed_hand_overs.saturating_add(1);
        self.tries = 0;
        self.wait(doubled(FIRST_PATIENCE, self.failed_hand_overs, LONGEST_PATIENCE))
    }

    fn wait(&mut self, pause: Duration) -> Duration {
        self.stage = Stage::Waiting(Instant::now() + pause);
        pause
    }

    /// Which attempt of this outage it is, from 1.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }
}

/// After so many attempts, at least one.
fn backoff(tries: u32) -> Duration {
    jittered(doubled(FIRST_PAUSE, tries, LONGEST_PAUSE), rand::random())
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    (first * 2_u32.saturating_pow(times.saturating_sub(1).min(16))).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        for (times, first, patience) in
            [(1, 250, 5), (2, 500, 10), (5, 4000, 60), (7, 10_000, 60), (u32::MAX, 10_000, 60)]
        {
            let pause = doubled(FIRST_PAUSE, times, LONGEST_PAUSE);
            assert_eq!(pause, Duration::from_millis(first), "{times}");
            assert_eq!(doubled(FIRST_PATIENCE, times, LONGEST_PATIENCE), Duration::from_secs(patience));
            assert!((pause / 2..=pause).contains(&backoff(times)), "{times}");
        }
    }
}
