//! When this worker was started, so that of two deploys in one moment the later one counts as later.
//!
//! What a worker reads off the clock when it gets the processor may be in any order. The kernel notes when a process was
//! forked, in steps of 10 ms (proc_pid_stat(5), `starttime`); within a step start_server's generation decides, in
//! the nanoseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A tick of `starttime`: USER_HZ is 100.
const TICK: Duration = Duration::from_millis(10);
/// Where `starttime` stands behind the name, which may have blanks: it is field 22, and the first there is 3.
const START_TIME: usize = 22 - 3;

/// Of this process; now, if the kernel does not tell.
pub(super) fn begun() -> SystemTime {
    let now = SystemTime::now();
    let up = clock_gettime(ClockId::Boottime);
    let up = Duration::new(up.tv_sec.unsigned_abs(), u32::try_from(up.tv_nsec).unwrap_or(0));
    let generation = std::env::var("SERVER_STARTER_GENERATION").ok().and_then(|text| text.parse().ok());
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    stat.and_then(|stat| forked(&stat, now, up, generation.unwrap_or(0))).unwrap_or(now)
}

fn forked(stat: &str, now: SystemTime, up: Duration, generation: u64) -> Option<SystemTime> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u32 = fields.split_ascii_whitespace().nth(START_TIME)?.parse().ok()?;
    let boot = now.duration_since(UNIX_EPOCH).ok()?.checked_sub(up)?;
    // To the nearest tick: two processes do not read both clocks at the same moment.
    let boot = u64::try_from((boot + TICK / 2).as_millis() / TICK.as_millis()).ok()?;
    let slot = boot.checked_add(u64::from(ticks))?;
    let within = generation.min(9_999_999);
    UNIX_EPOCH.checked_add(Duration::from_millis(slot.checked_mul(10)?) + Duration::from_nanos(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, micros: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, micros * 1000)
    }

    fn stat(ticks: u64) -> String {
        format!("7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {ticks} 4096 1")
    }

    #[test]
    fn who_was_forked_later_is_later_whenever_it_looks() {
        let up = |seconds, micros: u32| Duration::new(seconds, micros * 1000);
        let first = forked(&stat(50_000), at(1_800_000_600, 900), up(600, 0), 1).unwrap();
        // In the same tick, and the clocks are read earlier.
        let second = forked(&stat(50_000), at(1_800_000_600, 100), up(600, 30), 2).unwrap();
        let third = forked(&stat(50_001), at(1_800_000_600, 200), up(600, 10), 1).unwrap();
        assert!(first < second && second < third);
        assert_eq!(first.duration_since(at(1_800_000_500, 0)).unwrap(), Duration::from_nanos(1));
        let many = forked(&stat(50_000), at(1_800_000_600, 0), up(600, 0), u64::MAX).unwrap();
        assert!(many < third);
        for odd in ["", "7 (a", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 x 4096"] {
            assert_eq!(forked(odd, at(1_800_000_600, 0), up(600, 0), 1), None, "{odd}");
        }
    }

    #[test]
    fn this_process_was_forked_before_now() {
        let (begun, now) = (begun(), SystemTime::now());
        assert!(
            begun <= now + TICK && now.duration_since(begun).unwrap_or_default() < Duration::from_secs(3600)
        );
    }
}
