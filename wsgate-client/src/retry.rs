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
    /// After as long as the gateway asked for, and the first pause at least.
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

    /// `wanted`, cut so that an attempt fits behind it; none if none fits. Never nothing, or attempts that
    /// fail at once would follow each other without a pause.
    fn pause(&self, wanted: Duration) -> Option<Duration> {
        let Some(left) = self.left() else { return Some(wanted) };
        let longest = left.checked_sub(LAST_ATTEMPT).filter(|longest| !longest.is_zero())?;
        Some(wanted.min(longest))
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
            Again::After(time) => time.max(FIRST_PAUSE), // whoever says 0 is not to be stormed
        };
        let Some(pause) = budget.pause(wanted) else { return Err(GivenUp { error, attempts }) };
        tell(&error, attempts, pause);
        sleep(pause).await;
        next = (next * 2).min(LONGEST_PAUSE);
    }
}

/// From half of `pause` to all of it, so that clients which lost their gateway together do not come back
/// together. `random` is from 0 to 1.
pub(crate) fn jittered(pause: Duration, random: f64) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn refused() -> AttemptError {
        AttemptError::Silent(Duration::ZERO)
    }

    /// The times of all attempts that fail, from the first one.
    async fn times(limit: Option<Duration>, count: usize, error: impl Fn() -> AttemptError) -> Vec<Duration> {
        let begun = Instant::now();
        let times = RefCell::new(Vec::new());
        let result = repeat(Budget::new(limit), || {
            times.borrow_mut().push(begun.elapsed());
            let result = if times.borrow().len() < count { Err(error()) } else { Ok(()) };
            async { result }
        })
        .await;
        let times = times.into_inner();
        let attempts = result.map_or_else(|given_up| given_up.attempts, |success| success.attempts);
        assert_eq!(attempts as usize, times.len());
        times
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest() {
        let times = times(None, 9, refused).await;
        let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        for (pause, full) in pauses.iter().zip([250, 500, 1000, 2000, 4000, 5000, 5000, 5000]) {
            assert!((full / 2..=full + 1).contains(pause), "{pauses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_bounds_all_attempts_together() {
        for limit in [Duration::from_millis(300), Duration::from_secs(3), Duration::from_secs(60)] {
            let last = *times(Some(limit), usize::MAX, refused).await.last().unwrap();
            let latest = limit - LAST_ATTEMPT + Duration::from_millis(1); // the timer's resolution
            assert!(last <= latest && last >= latest.saturating_sub(LONGEST_PAUSE), "{limit:?}: {last:?}");
        }
        assert_eq!(times(Some(Duration::from_millis(200)), usize::MAX, refused).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_final_is_not_repeated() {
        assert_eq!(times(None, 5, || AttemptError::NotWebSocket("test")).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_gateway_says_when_to_come_back() {
        let limit = || {
            let headers = [("wsgate-refusal", "limit"), ("retry-after", "7")];
            let mut answer = http::Response::builder().status(503);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            let (head, ()) = answer.body(()).unwrap().into_parts();
            AttemptError::Refused(crate::refusal::Refusal::new(head.status, &head.headers, b""))
        };
        let seconds = |times: Vec<Duration>| times.iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!(seconds(times(None, 3, limit).await), [0, 7, 14]);
        // Capped: one more attempt at the end of the budget.
        assert_eq!(seconds(times(Some(Duration::from_secs(5)), 9, limit).await), [0, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_gets_no_more_than_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(Budget::new(None).at_most(second), second);
        assert_eq!(Budget::new(Some(Duration::MAX)).at_most(second), second);
        let budget = Budget::new(Some(second));
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(budget.at_most(second), Duration::from_millis(600));
        tokio::time::advance(second).await;
        assert_eq!(budget.at_most(second), Duration::ZERO);
    }

    #[test]
    fn jitter_takes_up_to_half() {
        let pause = Duration::from_secs(2);
        assert_eq!((jittered(pause, 0.0), jittered(pause, 1.0)), (pause / 2, pause));
    }
}
