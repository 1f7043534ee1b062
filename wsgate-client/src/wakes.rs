//! Noticing that the machine has slept: the monotonic clock stands still meanwhile, CLOCK_BOOTTIME does not
//! (clock_gettime(2)). What was connected then may be gone, and nobody tells.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// How often the clocks are compared.
const LOOK: Duration = Duration::from_secs(5);
/// Clocks that went apart by less have not slept.
const SLEPT: Duration = Duration::from_secs(10);

/// The task that compares the clocks, one for the process; it ends with this.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    woken: watch::Receiver<()>,
    _task: AbortOnDropHandle<()>,
}

/// Tells of each time that the machine has woken up since this was made.
#[derive(Clone, Debug)]
pub(crate) struct Wakes(watch::Receiver<()>);

impl SleepWatch {
    /// Inside a tokio runtime.
    pub(crate) fn start() -> Self {
        Self::of(slept_since_boot)
    }

    /// With a clock that says how long the machine has slept in all.
    pub(crate) fn of(slept: impl Fn() -> Duration + Send + 'static) -> Self {
        let (waking, woken) = watch::channel(());
        let mut before = slept();
        let task = tokio::spawn(async move {
            loop {
                sleep(LOOK).await;
                let now = slept();
                let lost = now.saturating_sub(before);
                before = now;
                if lost > SLEPT {
                    tracing::info!(
                        slept_s = lost.as_secs(),
                        "the machine has slept, tunnels are looked after"
                    );
                    waking.send_replace(());
                }
            }
        });
        Self { woken, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn wakes(&self) -> Wakes {
        let mut woken = self.woken.clone();
        woken.mark_unchanged();
        Wakes(woken)
    }
}

impl Wakes {
    /// Resolves after the machine has woken up, once for each time. May be dropped.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

fn slept_since_boot() -> Duration {
    let awake = of(clock_gettime(ClockId::Monotonic));
    of(clock_gettime(ClockId::Boottime)).saturating_sub(awake)
}

/// Neither clock is negative.
fn of(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_clocks_is_told_once_to_everybody() {
        let slept = Arc::new(AtomicU64::new(1_000_000)); // before we were started
        let clock = slept.clone();
        let watch = SleepWatch::of(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let (mut one, mut other) = (watch.wakes(), watch.wakes());
        for (more, told) in [(0, false), (10, false), (11, true), (0, false), (3600, true)] {
            sleep(Duration::from_millis(7500)).await;
            slept.fetch_add(more, Ordering::Relaxed);
            let begun = Instant::now();
            assert_eq!(timeout(2 * LOOK, one.next()).await.is_ok(), told, "{more}");
            assert!(begun.elapsed() <= LOOK || !told);
            assert_eq!(timeout(Duration::ZERO, other.next()).await.is_ok(), told);
            assert!(timeout(LOOK, watch.wakes().next()).await.is_err(), "who comes later has not slept");
        }
    }

    #[test]
    fn the_clocks_of_this_machine_are_read() {
        let awake = of(clock_gettime(ClockId::Monotonic));
        assert!(of(clock_gettime(ClockId::Boottime)) >= awake && !awake.is_zero());
    }
}
