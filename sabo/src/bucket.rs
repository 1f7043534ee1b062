//! The bucket of a group: GCRA, the generic cell rate algorithm (ITU-T I.371), in one word.
//!
//! The word is the theoretical arrival time, TAT: the moment at which everything reserved so far has passed at
//! the rate. To pass n bytes:
//!
//! ```text
//! cost = ⌈n · 10⁹ / rate⌉ ns      base = max(TAT, now − burst)      TAT' = base + cost, by compare-and-swap
//! sleep until TAT', then move the bytes
//! ```
//!
//! So in any window of w seconds the members move at most rate · (w + burst), and one reservation each. TAT
//! is never clamped to what would be plausible for one member: that would forgive a debt, and at 32 kB/s with
//! 16 members the limit would double.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::{Nanos, SECOND};

/// How much of the past may be made up for: a member that wakes late loses nothing.
pub(crate) const BURST: Nanos = 2_000_000;

/// A quantum is what passes in this time, at most [`LARGEST`], times the weight.
const QUANTUM: Nanos = 20_000_000;
const LARGEST: u64 = 256 * 1024;

/// A share against the shares of others, in thousandths.
pub(crate) const HEAVIEST: u32 = 10_000;
pub(crate) const LIGHTEST: u32 = 100;

/// A TAT further ahead than this group can have brought it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beyond(pub(crate) Nanos);

/// How long `bytes` take at `rate` bytes a second, rounded up.
pub(crate) fn cost(bytes: u64, rate: u64) -> Nanos {
    let nanos = (u128::from(bytes) * SECOND as u128).div_ceil(u128::from(rate.max(1)));
    // A quarter of the range, so that sums of them do not overflow: 73 years.
    Nanos::try_from(nanos).unwrap_or(Nanos::MAX).min(Nanos::MAX / 4)
}

/// How much a member of this weight reserves at once: 20 ms of the rate, without a floor of pages.
pub(crate) fn quantum(rate: u64, weight: u32) -> u64 {
    let thousandths =
        (u128::from(rate) * QUANTUM as u128 * 1000 / SECOND as u128).min(u128::from(LARGEST) * 1000);
    let bytes = thousandths * u128::from(weight.clamp(LIGHTEST, HEAVIEST)) / 1_000_000;
    u64::try_from(bytes).unwrap_or(LARGEST).max(1)
}

/// How far ahead `members` can have brought TAT, at rates not below `slowest`.
pub(crate) fn horizon(members: usize, slowest: u64) -> Nanos {
    let dearest = cost(quantum(slowest, HEAVIEST), slowest);
    let members = Nanos::try_from(members).unwrap_or(Nanos::MAX);
    dearest.saturating_mul(2).saturating_mul(members).saturating_add(SECOND)
}

/// Reserves, and says when to move.
///
/// # Errors
/// [`Beyond`] if TAT is further ahead than `horizon`; nothing is reserved then.
pub(crate) fn reserve(
    tat: &AtomicI64,
    now: impl Fn() -> Nanos,
    cost: Nanos,
    horizon: Nanos,
) -> Result<Nanos, Beyond> {
    let mut found = tat.load(Ordering::Acquire);
    loop {
        let now = now();
        if found > now.saturating_add(horizon) {
            return Err(Beyond(found));
        }
        let next = found.max(now - BURST).saturating_add(cost);
        match tat.compare_exchange_weak(found, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(next),
            Err(changed) => found = changed,
        }
    }
}

/// Replaces a TAT that cannot be by `now`; whether it was this call that did it.
pub(crate) fn replace(tat: &AtomicI64, Beyond(found): Beyond, now: Nanos) -> bool {
    tat.compare_exchange(found, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

#[cfg(test)]
mod tests;
