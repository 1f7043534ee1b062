//! Points in time, as TOML writes them: `2027-03-31T00:00:00Z`.

use std::time::SystemTime;

use serde::de::{Deserialize, Deserializer, Error};
use toml::value::Datetime;

use crate::instant;

/// A moment; the offset is part of it (RFC 3339 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Datetime::deserialize(from)?;
        let moment = instant::from_toml(&written).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{written} may be any of several moments; write 2027-03-31T00:00:00Z"
            ))
        })?;
        Ok(Moment(moment))
    }
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
