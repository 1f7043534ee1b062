//! When a WebSocket is replaced ahead of its end.

use std::time::Duration;

/// Two WebSockets that died at ages that differ by no more were cut by the same timer.
const SAME: Duration = Duration::from_secs(1);
/// Below this age it is a bad network that cuts, not a balancer.
const YOUNG: Duration = Duration::from_secs(10);

/// How old the WebSockets of a session become, as far as that is known.
#[derive(Debug)]
pub(super) struct Ages {
    /// What the gateway says, or what was learnt.
    longest: Option<Duration>,
    /// The age at which the last one died without a Close.
    last: Option<Duration>,
}

impl Ages {
    /// With what the gateway says.
    pub(super) fn new(lifetime: Option<Duration>) -> Self {
        Self { longest: lifetime.filter(|age| !age.is_zero()), last: None }
    }

    /// The gateway has said it again.
    pub(super) fn told(&mut self, lifetime: Duration) {
        if !lifetime.is_zero() {
            self.longest = Some(lifetime);
        }
    }

    /// A WebSocket has died at this age, without a Close: two in a row of the same age tell how long they live
    /// at most.
    pub(super) fn died(&mut self, age: Duration) {
        let again = self.last.is_some_and(|last| last.abs_diff(age) <= SAME);
        if again && age >= YOUNG {
            let learnt = self.last.unwrap_or(age).min(age);
            self.longest = Some(self.longest.map_or(learnt, |longest| longest.min(learnt)));
        }
        self.last = Some(age);
    }

    /// A WebSocket has ended in another way.
    pub(super) fn ended(&mut self) {
        self.last = None;
    }

    /// After how long a WebSocket is replaced: at 70 to 85 % of the longest life. `random` is from 0 to 1.
    pub(super) fn replace_after(&self, random: f64) -> Option<Duration> {
        Some(self.longest?.mul_f64(0.7 + 0.15 * random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_is_told_counts_at_once() {
        let ages = Ages::new(Some(secs(100.0)));
        assert_eq!((ages.replace_after(0.0), ages.replace_after(1.0)), (Some(secs(70.0)), Some(secs(85.0))));
        assert_eq!(Ages::new(Some(Duration::ZERO)).replace_after(0.5), None);
        let mut ages = Ages::new(None);
        ages.told(secs(10.0));
        assert_eq!(ages.replace_after(0.0), Some(secs(7.0)));
    }

    #[test]
    fn two_deaths_in_a_row_at_the_same_age_teach() {
        // A negative age: an end with a Close.
        for (deaths, learnt) in [
            (&[30.0][..], None),
            (&[30.0, 30.9], Some(30.0)),
            (&[30.9, 30.0], Some(30.0)),
            (&[30.0, 31.1], None),
            (&[30.0, 700.0, 30.0], None),
            (&[30.0, -1.0, 30.0], None),
            (&[7.0, 30.0, 30.5], Some(30.0)),
            (&[2.0, 2.0, 2.0], None),
        ] {
            let mut ages = Ages::new(None);
            for age in deaths {
                if *age < 0.0 { ages.ended() } else { ages.died(secs(*age)) }
            }
            assert_eq!(ages.longest, learnt.map(secs), "{deaths:?}");
        }
        let mut ages = Ages::new(Some(secs(3600.0)));
        [30.0, 30.0, 600.0, 600.0].into_iter().for_each(|age| ages.died(secs(age)));
        assert_eq!(ages.longest, Some(secs(30.0)), "what is between may cut earlier than the gateway knows");
    }
}
