//! Warnings that would repeat.

use std::time::{Duration, Instant};

/// Lets one warning through each while, and counts the others.
///
/// ```
/// # use std::time::{Duration, Instant};
/// let mut limited = daemon::log::Limited::new(Duration::from_secs(10));
/// if let Some(left_out) = limited.admit(Instant::now()) {
///     tracing::warn!(left_out, "cannot reach the upstream");
/// }
/// ```
#[derive(Debug)]
pub struct Limited {
    every: Duration,
    last: Option<Instant>,
    left_out: u64,
}

impl Limited {
    /// At most one warning in `every`.
    pub const fn new(every: Duration) -> Self {
        Limited { every, last: None, left_out: 0 }
    }

    /// Whether the warning at `now` is written, and then how many before it were not.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_one_in_a_while() {
        let start = Instant::now();
        let mut limited = Limited::new(Duration::from_secs(10));
        let table =
            [(0, Some(0)), (1, None), (9, None), (10, Some(2)), (11, None), (40, Some(1)), (50, Some(0))];
        for (second, expected) in table {
            assert_eq!(limited.admit(start + Duration::from_secs(second)), expected, "at {second}");
        }
    }
}
