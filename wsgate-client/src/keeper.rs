//! Keeps a token fresh in the background.
//!
//! ```text
//! Source::token ──► Held ──► renewed ahead of its expiry by one task
//!                    │            fails: the old one is used while it lives; again after 1 s, 2 s, 4 s … 60 s
//!                    └──► bearer(): at once while there is a good one, else after the next attempt
//! ```

mod schedule;

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::held::Held;
use crate::retry::Budget;
use crate::source::SourceError;

/// What time it is; an argument, so that tests need not wait.
pub(crate) type Clock = fn() -> SystemTime;

/// The longest that a connection without a token waits for the attempt to get one.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often the wall clock is looked at: a machine that slept has lost time that no timer counts.
const LOOK: Duration = Duration::from_secs(30);

/// Whoever gives tokens.
pub(crate) trait Source: Send + Sync + 'static {
    /// A new token.
    fn token(&self, now: SystemTime) -> impl Future<Output = Result<Held, SourceError>> + Send;
    /// Who that is, for the log.
    fn name(&self) -> String;
}

/// The latest token of a source, and the task that replaces it.
#[derive(Debug)]
pub(crate) struct Keeper<S> {
    shared: Arc<Shared<S>>,
    /// Started by the first who asks, since a configuration is made before there is a runtime.
    task: OnceLock<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct Shared<S> {
    source: S,
    clock: Clock,
    state: watch::Sender<State>,
    wake: Notify,
    forced: Mutex<Forced>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// How many attempts have ended, and when the last of them did.
    attempts: u64,
    ended: Option<Instant>,
    /// If the last one failed.
    failure: Option<Arc<SourceError>>,
}

#[derive(Debug, Default)]
struct Forced {
    latest: Option<Instant>,
    is_due: bool,
    /// How many attempts had ended by then.
    attempts: u64,
}

impl<S: Source> Keeper<S> {
    pub(crate) fn new(source: S, clock: Clock) -> Self {
        let state = watch::Sender::new(State::default());
        let shared = Shared { source, clock, state, wake: Notify::new(), forced: Mutex::default() };
        Self { shared: Arc::new(shared), task: OnceLock::new() }
    }

    /// `Bearer TOKEN`, valid for some time. Without a good token it waits for one attempt to get one.
    ///
    /// # Errors
    /// Why the source gives none.
    pub(crate) async fn bearer(&self, budget: Budget) -> Result<HeaderValue, Arc<SourceError>> {
        let mut state = self.shared.state.subscribe();
        let now = (self.shared.clock)();
        let attempts = {
            let state = state.borrow();
            match (state.good_at(now), &state.failure) {
                (Some(bearer), _) => return Ok(bearer),
                (None, Some(failure)) if state.has_just_tried() => return Err(failure.clone()),
                _ => state.attempts,
            }
        };
        self.task.get_or_init(|| AbortOnDropHandle::new(tokio::spawn(self.shared.clone().renew())));
        self.shared.wake.notify_one();
        let limit = budget.at_most(PATIENCE);
        let waited = timeout(limit, state.wait_for(|state| state.attempts > attempts)).await;
        let slow = || Arc::new(SourceError::Slow(limit));
        let state = waited.ok().and_then(Result::ok).ok_or_else(slow)?;
        state.good_at((self.shared.clock)()).ok_or_else(|| state.failure.clone().unwrap_or_else(slow))
    }

    /// Whether the last attempt to get a token failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.state.borrow().failure.is_some()
    }

    /// The gateway does not take the token: another is got, but not because of each of a thousand refusals.
    pub(crate) fn refused(&self) {
        self.force();
    }

    /// As [`Keeper::refused`], and waits for the attempt to get another.
    ///
    /// # Errors
    /// Why the source gives none.
    pub(crate) async fn renewed(&self, budget: Budget) -> Result<(), Arc<SourceError>> {
        let mut state = self.shared.state.subscribe();
        let attempts = self.force();
        let limit = budget.at_most(PATIENCE);
        let waited = timeout(limit, state.wait_for(|state| state.attempts > attempts)).await;
        let state = waited.ok().and_then(Result::ok).ok_or_else(|| Arc::new(SourceError::Slow(limit)))?;
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// How many attempts had ended when a renewal was last forced, by this or by somebody else's refusal.
    fn force(&self) -> u64 {
        let mut forced = self.shared.forced();
        if forced.latest.is_none_or(|latest| latest.elapsed() >= schedule::FORCED) {
            let attempts = self.shared.state.borrow().attempts;
            *forced = Forced { latest: Some(Instant::now()), is_due: true, attempts };
            self.shared.wake.notify_one();
        }
        forced.attempts
    }
}

impl State {
    fn good_at(&self, now: SystemTime) -> Option<HeaderValue> {
        self.held.as_ref().filter(|held| held.is_good_at(now)).map(|held| held.bearer.clone())
    }

    fn has_just_tried(&self) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() < schedule::FIRST_PAUSE)
    }
}

impl<S: Source> Shared<S> {
    async fn renew(self: Arc<Self>) {
        let mut failures = 0;
        let mut warned = None;
        loop {
            let result = self.source.token((self.clock)()).await;
            let after = match &result {
                Ok(held) => {
                    self.tell_renewed(held, failures);
                    (failures, warned) = (0, None);
                    None
                }
                Err(error) => {
                    failures += 1;
                    self.tell_failed(error, failures, &mut warned);
                    Some(schedule::jittered(schedule::retry(failures), rand::random()))
                }
            };
            self.state.send_modify(|state| state.ended(result));
            self.until_due(after).await;
        }
    }

    /// Waits for `after`, or without it until the token is to be replaced. Less if the gateway refuses the
    /// token, or somebody has come who needs one while there is none.
    async fn until_due(&self, after: Option<Duration>) {
        let until = after.map(|after| Instant::now() + after);
        loop {
            let left = match until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => self.renewal_in(),
            };
            if left.is_zero() || std::mem::take(&mut self.forced().is_due) {
                return;
            }
            tokio::select! {
                () = sleep(left.min(LOOK)) => {}
                () = self.wake.notified() => if self.is_missed() { return },
            }
        }
    }

    fn renewal_in(&self) -> Duration {
        let state = self.state.borrow();
        let Some(held) = &state.held else { return Duration::ZERO };
        // A source that gives short-lived tokens is not to be stormed.
        let pause = state.ended.map(|ended| schedule::FIRST_PAUSE.saturating_sub(ended.elapsed()));
        held.renew.duration_since((self.clock)()).unwrap_or_default().max(pause.unwrap_or_default())
    }

    fn is_missed(&self) -> bool {
        let state = self.state.borrow();
        state.good_at((self.clock)()).is_none() && !state.has_just_tried()
    }

    fn forced(&self) -> std::sync::MutexGuard<'_, Forced> {
        self.forced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_renewed(&self, held: &Held, failures: u32) {
        let next_s = held.renew.duration_since((self.clock)()).unwrap_or_default().as_secs();
        let source = self.source.name();
        match self.state.borrow().attempts == 0 || failures > 0 {
            true => tracing::info!(source, next_s, "token"),
            false => tracing::debug!(source, next_s, "token renewed"),
        }
    }

    /// The first of several failures, and one every few minutes, are worth a line.
    fn tell_failed(&self, error: &SourceError, failures: u32, warned: &mut Option<Instant>) {
        let error = error as &dyn std::error::Error;
        let old_is_good = self.state.borrow().good_at((self.clock)()).is_some();
        if warned.is_none_or(|warned: Instant| warned.elapsed() >= schedule::WARNED) {
            *warned = Some(Instant::now());
            tracing::warn!(error, failures, old_is_good, "token not renewed; trying again");
        } else {
            tracing::debug!(error, failures, old_is_good, "token not renewed; trying again");
        }
    }
}

impl State {
    fn ended(&mut self, result: Result<Held, SourceError>) {
        self.attempts += 1;
        self.ended = Some(Instant::now());
        match result {
            Ok(held) => (self.held, self.failure) = (Some(held), None),
            Err(error) => self.failure = Some(Arc::new(error)),
        }
    }
}

#[cfg(test)]
mod tests;
