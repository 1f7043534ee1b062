//! The time as RFC 3339 writes it, in UTC, with milliseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-21T20:44:28.123Z`; a time before 1970 is 1970.
pub fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millisecond = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// The Gregorian date `days` after 1970-01-01.
///
/// Years are counted from a 1 March, so that the leap day is the last one, and in eras of 400 years, which
/// all have 146,097 days; 1970-01-01 is day 719,468 of the era that begins with 0000-03-01. From March on the
/// months' lengths repeat every five (153 days), which `(153 m + 2) / 5` sums up.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn writes_the_time() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ];
        for (milliseconds, expected) in table {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(utc(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = (1969, 12, 31);
        for days in 0..200_000 {
            let (year, month, day) = date(days);
            let next_day = (year, month) == (before.0, before.1) && day == before.2 + 1;
            let next_month =
                day == 1 && before.2 >= 28 && (month == before.1 + 1 || (month, before.1) == (1, 12));
            assert!(next_day || next_month, "{before:?} then {year}-{month}-{day}");
            before = (year, month, day);
        }
    }
}
