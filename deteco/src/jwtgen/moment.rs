//! A time, for people: in UTC, and how far from now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::GoDuration;
use daemon::log::utc;
use serde_json::Value;

/// What the claims of a time mean before and after it.
const TIMES: [(&str, &str, &str); 3] = [
    ("iat", "issued", "issued (in the future!)"),
    ("nbf", "valid since", "valid"),
    ("exp", "EXPIRED", "expires"),
];

/// A line for each claim that is a time: `exp  2026-11-21T20:44:28.000Z (expires in 12m)`.
pub(super) fn lines(claims: &Value, now: SystemTime) -> String {
    let line = |(name, past, future): (&str, &str, &str)| {
        let number = claims.get(name)?.as_f64()?;
        let Some(time) = time(number) else {
            return Some(format!("  {name}  no time between 1970 and 9999\n"));
        };
        let when = match time.duration_since(now) {
            Ok(ahead) if ahead.as_secs() > 0 => format!("{future} in {}", whole(ahead)),
            _ => format!("{past} {} ago", whole(now.duration_since(time).unwrap_or_default())),
        };
        Some(format!("  {name}  {} ({when})\n", utc(time)))
    };
    TIMES.into_iter().filter_map(line).collect()
}

/// RFC 7519 §2, NumericDate, up to the last one that RFC 3339 can write.
fn time(number: f64) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(number).ok()?;
    (since.as_secs() < 253_402_300_800).then(|| UNIX_EPOCH + since)
}

fn whole(duration: Duration) -> GoDuration {
    GoDuration(Duration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_told_from_now() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let table = [
            (json!({}), ""),
            (json!({"exp": "soon", "iat": null}), ""),
            (json!({"exp": 1_800_000_720}), "  exp  2027-01-15T08:12:00.000Z (expires in 12m)\n"),
            (json!({"exp": 1_799_999_820}), "  exp  2027-01-15T07:57:00.000Z (EXPIRED 3m ago)\n"),
            (json!({"iat": 1_799_999_999.5}), "  iat  2027-01-15T07:59:59.500Z (issued 0s ago)\n"),
            (
                json!({"iat": 1_800_000_005}),
                "  iat  2027-01-15T08:00:05.000Z (issued (in the future!) in 5s)\n",
            ),
            (
                json!({"nbf": 1_800_003_600, "exp": 1e300}),
                "  nbf  2027-01-15T09:00:00.000Z (valid in 1h)\n  exp  no time between 1970 and 9999\n",
            ),
            (json!({"exp": -5}), "  exp  no time between 1970 and 9999\n"),
        ];
        for (claims, expected) in table {
            assert_eq!(lines(&claims, now), expected, "{claims}");
        }
    }
}
