//! When to fetch next.

use std::time::Duration;

/// How often, if neither configuration nor publisher says
const REFRESH: Duration = Duration::from_secs(10 * 60);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(5 * 60);

/// How long an unknown `kid` waits for the next fetch at most, counted from the last of its kind.
pub(super) const UNKNOWN_KID: Duration = Duration::from_secs(60);

/// After a success.
pub(super) fn refresh(configured: Option<Duration>, max_age: Option<Duration>) -> Duration {
    configured.or(max_age).unwrap_or(REFRESH).clamp(SHORTEST, LONGEST)
}

/// After that many failures in a row, at least one: 1 s, 2 s, 4 s … 5 min as long as there are no
/// keys; with keys to go on with, nothing is so urgent as to ask more often than once a minute.
pub(super) fn retry(failures: u32, has_keys: bool) -> Duration {
    let doubled = FIRST_RETRY * 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    let shortest = if has_keys { SHORTEST } else { FIRST_RETRY };
    doubled.clamp(shortest, LAST_RETRY)
}

/// Up to a tenth sooner, so that many processes that start together do not ask together for long.
pub(super) fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.9..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_is_bounded() {
        let s = Duration::from_secs;
        let rows = [
            (None, None, s(600)),
            (None, Some(s(0)), s(60)),
            (None, Some(s(3600)), s(3600)),
            (None, Some(Duration::MAX), s(86_400)),
            (Some(s(120)), Some(s(3600)), s(120)),
            (Some(s(1)), None, s(60)),
        ];
        for (configured, max_age, expected) in rows {
            assert_eq!(refresh(configured, max_age), expected, "{configured:?} {max_age:?}");
        }
    }

    #[test]
    fn retries_double() {
        let rows = [
            (0, 1, 60),
            (1, 1, 60),
            (2, 2, 60),
            (3, 4, 60),
            (7, 64, 64),
            (9, 256, 256),
            (10, 300, 300),
            (u32::MAX, 300, 300),
        ];
        for (failures, without, with) in rows {
            let told = (retry(failures, false).as_secs(), retry(failures, true).as_secs());
            assert_eq!(told, (without, with), "{failures}");
        }
    }
}
