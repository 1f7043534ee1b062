//! A date and a time of day with nanoseconds (RFC 3339), as a number that can be compared.

/// Nanoseconds since 1970 of `2026-11-22T00:01:05.799876236Z` or `…+09:00`; none if it is not of that form.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut clock = clock.splitn(3, ':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction_of(fraction)?)
}

/// Digits only, few enough that no sum here overflows.
fn number(text: &str) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// From 1970 to a day of the Gregorian calendar (Howard Hinnant, days_from_civil).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let seconds = number(hours)? * 3600 + number(minutes)? * 60;
    Some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// Digits after the point, as nanoseconds; further ones are cut.
fn fraction_of(digits: &str) -> Option<i64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| format!("{:0<9.9}", digits).parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_engines_write() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-22T00:01:05.799876236Z", Some(1_795_305_665_799_876_236)),
            ("2026-11-22T09:01:05.799876236+09:00", Some(1_795_305_665_799_876_236)),
            ("2026-11-21T19:31:05.8-04:30", Some(1_795_305_665_800_000_000)),
            ("2024-02-29T12:00:00.1234567891Z", Some(1_709_208_000_123_456_789)),
            ("0001-01-01T00:00:00Z", None),
            ("2026-11-22", None),
            ("2026-13-22T00:00:00Z", None),
            ("2026-11-22T00:00:00", None),
            ("2026-11-22T00:00:00.xZ", None),
            ("", None),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}
