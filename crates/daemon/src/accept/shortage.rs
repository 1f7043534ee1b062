//! Waiting out a lack of descriptors or memory.

use std::io;
use std::time::{Duration, Instant};

use crate::log::Limited;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
const A_WARNING_EACH: Duration = Duration::from_secs(10);

pub(super) struct Shortage {
    listener: String,
    pause: Duration,
    warnings: Limited,
}

impl Shortage {
    pub(super) fn new(listener: String) -> Self {
        Shortage { listener, pause: FIRST, warnings: Limited::new(A_WARNING_EACH) }
    }

    pub(super) fn listener(&self) -> &str {
        &self.listener
    }

    /// Another connection could not be accepted: how long to wait before the next attempt.
    pub(super) fn goes_on(&mut self, error: &io::Error, now: Instant) -> Duration {
        if let Some(left_out) = self.warnings.admit(now) {
            tracing::warn!(listener = self.listener, %error, left_out, "cannot accept, trying again");
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause
    }

    pub(super) fn is_over(&mut self) {
        self.pause = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_up_to_a_second() {
        let mut shortage = Shortage::new(":80".into());
        let error = io::Error::other("x");
        let mut wait = || shortage.goes_on(&error, Instant::now()).as_millis();
        let waits: Vec<_> = (0..9).map(|_| wait()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        shortage.is_over();
        assert_eq!(shortage.goes_on(&error, Instant::now()), FIRST);
    }
}
