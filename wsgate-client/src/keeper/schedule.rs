//! When to try again.

use std::time::Duration;

/// The pause after the first failed attempt, and the shortest between any two.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A refusal by the gateway makes an attempt at most so often.
pub(super) const FORCED: Duration = Duration::from_secs(60);
/// Failures are warned of at most so often.
pub(super) const WARNED: Duration = Duration::from_secs(5 * 60);

/// After that many failures in a row, at least one: 1 s, 2 s, 4 s … 60 s.
pub(super) fn retry(failures: u32) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LONGEST_PAUSE)
}

/// Up to a quarter more, so that those who lost their source together do not come back together; never
/// less, or who waits a second is told of a failure twice. `random` is from 0 to 1.
pub(super) fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(1.0 + random / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double() {
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            assert_eq!(retry(failures).as_secs(), seconds, "{failures}");
        }
        let pause = Duration::from_secs(4);
        assert_eq!((jittered(pause, 0.0), jittered(pause, 1.0)), (pause, pause + pause / 4));
    }
}
