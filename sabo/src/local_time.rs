//! The time of day where the user is.
#![allow(unsafe_code)]

use crate::clock;
use crate::schedule::Minute;

/// Minutes since local midnight (localtime_r(3), which obeys TZ).
pub(crate) fn minute_of_day() -> Minute {
    let now = libc::time_t::try_from(clock::epoch()).unwrap_or(0);
    // SAFETY: tm is plain numbers and a pointer that may be null; localtime_r writes it, and reads `now`.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const now, &raw mut time);
        time
    };
    Minute::try_from(time.tm_hour * 60 + time.tm_min).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_has_1440_minutes() {
        assert!(super::minute_of_day() < 1440);
    }
}
