//! Points in time, as TOML writes them: `2027-03-31T00:00:00Z`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error};
use toml::value::{Date, Datetime, Offset};

/// A moment; the offset is part of it (RFC 3339 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Datetime::deserialize(from)?;
        let moment = moment(written).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{written} may be any of several moments; write 2027-03-31T00:00:00Z"
            ))
        })?;
        Ok(Moment(moment))
    }
}

/// `None` for a date or a time alone, without an offset, or before 1970.
fn moment(written: Datetime) -> Option<SystemTime> {
    let Datetime { date: Some(date), time: Some(time), offset: Some(offset) } = written else { return None };
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let of_day =
        i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
    let seconds = days(date) * 86_400 + of_day - minutes * 60;
    let since = Duration::new(u64::try_from(seconds).ok()?, 0);
    UNIX_EPOCH.checked_add(since)?.checked_add(Duration::from_nanos(time.nanosecond.unwrap_or(0).into()))
}

/// Days from 1970-01-01 to a Gregorian date.
///
/// Years are counted from a 1 March, so that the leap day is the last one; from March on the months' lengths
/// repeat every five (153 days), which `(153 m + 2) / 5` sums up. 1970-01-01 is day 719,468 after 0000-03-01.
fn days(date: Date) -> i64 {
    let (month, back) =
        if date.month > 2 { (i64::from(date.month) - 3, 0) } else { (i64::from(date.month) + 9, 1) };
    let year = i64::from(date.year) - back;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + i64::from(date.day) - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    struct Written {
        at: Moment,
    }

    fn read(text: &str) -> Result<String, String> {
        let written = toml::from_str::<Written>(&format!("at = {text}"));
        written.map(|written| daemon::log::utc(written.at.0)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn moments_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("2027-03-31T00:00:00Z", "2027-03-31T00:00:00.000Z"),
            ("2000-02-29 23:59:59.999z", "2000-02-29T23:59:59.999Z"),
            ("2024-12-31T23:59:60Z", "2025-01-01T00:00:00.000Z"),
            ("2027-01-01T08:00:00+09:00", "2026-12-31T23:00:00.000Z"),
            ("2100-02-28T20:00:00-04:00", "2100-03-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["2027-03-31", "12:00:00", "2027-03-31T00:00:00", "1969-12-31T23:59:59Z"] {
            let error = read(text).unwrap_err();
            assert!(error.contains("write 2027-03-31T00:00:00Z"), "{error}");
        }
        for text in ["2027-02-30T00:00:00Z", "2027-13-01T00:00:00Z", "\"2027-03-31T00:00:00Z\"", "7"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
