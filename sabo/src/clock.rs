//! The clock that all members of a group share, whichever container they run in.
//!
//! CLOCK_MONOTONIC stands still while the machine is suspended, so no burst comes after it. A time namespace
//! (time_namespaces(7)) shifts it by an offset that `/proc/self/timens_offsets` tells; without the offset it
//! is the same clock for every process on one kernel. A boot id would not do: it can differ on one kernel
//! and agree with different clocks.

use std::fs;

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds since the kernel booted, or a span of them.
pub(crate) type Nanos = i64;

/// Nanoseconds of a second.
pub(crate) const SECOND: Nanos = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What this process's time namespace adds.
    offset: Nanos,
}

impl Clock {
    pub(crate) fn of_this_kernel() -> Self {
        let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        Self { offset: monotonic_offset(&offsets).unwrap_or(0) }
    }

    pub(crate) fn now(self) -> Nanos {
        nanos(clock_gettime(ClockId::Monotonic)) - self.offset
    }

    /// Sleeps until then, or until a signal comes.
    pub(crate) fn sleep_until(self, deadline: Nanos) {
        let deadline = deadline.saturating_add(self.offset).max(0);
        let deadline = Timespec { tv_sec: deadline / SECOND, tv_nsec: deadline % SECOND };
        // It only fails when interrupted; whoever sleeps looks at the clock again.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &deadline);
    }
}

/// Seconds since 1970, for what is shown to people.
pub(crate) fn epoch() -> u64 {
    u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0)
}

/// A span as a timeout of poll(2).
pub(crate) fn timespec(span: Nanos) -> Timespec {
    Timespec { tv_sec: span.max(0) / SECOND, tv_nsec: span.max(0) % SECOND }
}

/// For people.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn seconds(span: Nanos) -> f64 {
    span as f64 / 1e9
}

fn nanos(time: Timespec) -> Nanos {
    time.tv_sec * SECOND + time.tv_nsec
}

/// From lines such as `monotonic       86400         0`: seconds and nanoseconds.
fn monotonic_offset(offsets: &str) -> Option<Nanos> {
    let line = offsets.lines().find_map(|line| line.strip_prefix("monotonic"))?;
    let mut numbers = line.split_whitespace().map(str::parse::<i64>);
    let (seconds, rest) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(SECOND)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_offset_of_a_time_namespace() {
        let table = [
            ("monotonic           0         0\nboottime            0         0\n", Some(0)),
            ("monotonic       86400       500\nboottime         1209         0\n", Some(86_400_000_000_500)),
            ("boottime 1 0\nmonotonic -1 999999999\n", Some(-1)),
            ("", None),
            ("monotonic x 0", None),
        ];
        for (text, offset) in table {
            assert_eq!(monotonic_offset(text), offset, "{text}");
        }
    }

    #[test]
    fn sleeps_until_then() {
        let clock = Clock { offset: 5 * SECOND };
        let deadline = clock.now() + 3_000_000;
        while clock.now() < deadline {
            clock.sleep_until(deadline);
        }
        let plain = Clock { offset: 0 }.now();
        assert!((plain - clock.now() - 5 * SECOND).abs() < SECOND);
    }
}
