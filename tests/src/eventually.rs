//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before the test fails: long, because it costs only a failing test time.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// [`PATIENCE`] for what an engine does in seconds, and in many of them on a busy machine: a deploy.
pub const LONG: Duration = Duration::from_secs(90);

/// Probes until there is an answer.
///
/// # Panics
/// With `what` when there was none within [`PATIENCE`].
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe)
}

/// [`eventually`] with a limit of its own, for what has to be prompt.
///
/// # Panics
/// With `what` when there was no answer in time.
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
