//! How often a session may be asked to go on.

use std::time::Duration;

use tokio::time::Instant;

/// Resumes of one session in [`WHILE`].
const MOST: usize = 5;
const WHILE: Duration = Duration::from_secs(1);

/// When the last ones came, in turn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: [Option<Instant>; MOST],
    next: usize,
}

impl Pace {
    /// Whether one more is not too often; only those that are not count.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let oldest = &mut self.last[self.next];
        if oldest.is_some_and(|at| now.duration_since(at) < WHILE) {
            return false;
        }
        *oldest = Some(now);
        self.next = (self.next + 1) % MOST;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_a_second_and_no_more() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        for (milliseconds, admitted) in [
            (0, true),
            (100, true),
            (200, true),
            (300, true),
            (400, true),
            (999, false),
            (1000, true),
            (1050, false),
            (1100, true),
            (5000, true),
        ] {
            assert_eq!(pace.admit(begun + Duration::from_millis(milliseconds)), admitted, "{milliseconds}");
        }
    }
}
