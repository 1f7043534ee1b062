//! Points in time as the configuration writes them: RFC 3339, with an offset from UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toml::value::{Datetime, Offset};

/// `2027-03-31T00:00:00Z`.
///
/// # Errors
/// What is wrong, with an example.
pub(crate) fn parse(text: &str) -> Result<SystemTime, String> {
    let time = text.parse::<Datetime>().ok().as_ref().and_then(from_toml);
    time.ok_or_else(|| format!("{text:?} is no time like 2027-03-31T00:00:00Z"))
}

/// `None` without date, time or offset, and before 1970.
pub(crate) fn from_toml(text: &Datetime) -> Option<SystemTime> {
    let (date, time) = (text.date?, text.time?);
    let offset = match text.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes) * 60,
    };
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let clock =
        i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
    let seconds = u64::try_from(days * 86_400 + clock - offset).ok()?;
    let nanos = time.nanosecond.unwrap_or(0);
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

/// By the Gregorian calendar. Years are counted from March, so that a leap day is the last of its year; 719,468
/// days lie between 0000-03-01 and 1970-01-01.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    of_years + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let rows = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-11-21T23:24:19Z", Some(1_795_303_459)),
            ("2026-11-22T08:24:19+09:00", Some(1_795_303_459)),
            ("2027-03-31T00:00:00-01:30", Some(1_806_456_600)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-11-21T23:24:19", None),
            ("2026-11-21", None),
            ("2026-13-01T00:00:00Z", None),
            ("yesterday", None),
        ];
        for (text, expected) in rows {
            let time = parse(text).ok().map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(time, expected, "{text}");
        }
    }
}
