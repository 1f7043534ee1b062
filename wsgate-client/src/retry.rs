//! Attempts, again and again while the budget of a local connection lasts.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::attempt::AttemptError;

/// The pause after the first failed attempt; it doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// No pause ends later than so long before the budget does: an attempt needs some time.
const LAST_ATTEMPT: Duration = Duration::from_millis(250);

/// Whether an attempt that failed is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// After the next pause.
    Soon,
    /// After as long as the gateway asked for.
    After(Duration),
}

/// How long a local connection may wait for its tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// `None`: for ever.
    until: Option<Instant>,
}

impl Budget {
    /// Begins now.
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        // A limit beyond the clock's end is none.
        Self { until: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    /// `limit`, or what is left if that is less; in whole milliseconds, since it is shown.
    pub(crate) fn at_most(&self, limit: Duration) -> Duration {
        let left = self.left().unwrap_or(Duration::MAX);
        if limit <= left { limit } else { Duration::from_millis(left.as_millis() as u64) }
    }

    /// `wanted`, cut so that an attempt fits behind it; none if none fits.
    fn pause(&self, wanted: Duration) -> Option<Duration> {
        match self.left() {
            Some(left) => Some(wanted.min(left.checked_sub(LAST_ATTEMPT)?)),
            None => Some(wanted),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }
}

/// What an attempt gave, and which one.
#[derive(Debug)]
pub(crate) struct Success<T> {
    pub(crate) result: T,
    pub(crate) attempts: u32,
}

/// The last error, after so many attempts.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) error: AttemptError,
    pub(crate) attempts: u32,
}

/// Repeats `attempt` until it works, fails for good, or no further one fits into `budget`.
pub(crate) async fn repeat<T, F>(
    budget: Budget,
    mut attempt: impl FnMut() -> F,
) -> Result<Success<T>, GivenUp>
where
    F: Future<Output = Result<T, AttemptError>>,
{
    let mut attempts = 0;
    let mut next = FIRST_PAUSE;
    loop {
        attempts += 1;
        let error = match attempt().await {
            Ok(result) => return Ok(Success { result, attempts }),
            Err(error) => error,
        };
        let wanted = match error.again() {
            Again::Never => return Err(GivenUp { error, attempts }),
            Again::Soon => jittered(next, rand::random()),
            Again::After(time) => time,
        };
        let Some(pause) = budget.pause(wanted) else { return Err(GivenUp { error, attempts }) };
        tell(&error, attempts, pause);
        sleep(pause).await;
        next = (next * 2).min(LONGEST_PAUSE);
    }
}

/// From half of `pause` to all of it, so that clients which lost their gateway together do not come back
/// together. `random` is from 0 to 1.
fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(0.5 + random / 2.0)
}

/// The first failure explains why an application waits; the others are for who looks closer.
fn tell(error: &AttemptError, attempts: u32, pause: Duration) {
    let error = error as &dyn std::error::Error;
    let pause = pause.as_millis() as u64;
    match attempts {
        1 => tracing::info!(error, pause_ms = pause, "no tunnel yet, trying again"),
        _ => tracing::debug!(error, attempts, pause_ms = pause, "no tunnel yet, trying again"),
    }
}
