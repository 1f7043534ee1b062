//! Durations as Go's time.ParseDuration reads them, because unit files written for the originals use them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in Go's form: `1h30m`, `10s`, `300ms`, `1.5h`, `0`. Usable as a clap value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub Duration);

/// Why a text is no [`GoDuration`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad duration {text:?}: {why}")]
pub struct InvalidDuration {
    /// What was written.
    pub text: String,
    /// What is wrong with it, and what to write.
    pub why: &'static str,
}

const SECOND: u128 = 1_000_000_000;

/// Nanoseconds of each unit. The two micro signs are U+00B5 and U+03BC; Go takes both.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// Go's longest: 2^63 - 1 ns, about 292 years.
const LONGEST: u128 = i64::MAX as u128;

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match nanoseconds(text) {
            Ok(n) => Ok(GoDuration(Duration::from_nanos(n))),
            Err(why) => Err(InvalidDuration { text: text.to_owned(), why }),
        }
    }
}

/// `[+]0` or `[+]` and one or more of number and unit.
fn nanoseconds(text: &str) -> Result<u64, &'static str> {
    if text.starts_with('-') {
        return Err("it must not be negative");
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    match rest {
        "" => return Err("it is empty, write 10s"),
        "0" => return Ok(0),
        _ => {}
    }
    let mut total = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = number_and_unit(rest)?;
        total += nanoseconds;
        if total > LONGEST {
            return Err(TOO_LONG);
        }
        rest = after;
    }
    u64::try_from(total).map_err(|_| TOO_LONG)
}

const TOO_LONG: &str = "it is longer than 292 years";

fn number_and_unit(text: &str) -> Result<(u128, &str), &'static str> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err("a number is missing, write 10s");
    }
    let is_unit = |c: char| c != '.' && !c.is_ascii_digit();
    let (name, rest) = rest.split_at(rest.find(|c| !is_unit(c)).unwrap_or(rest.len()));
    let (_, unit) = match name {
        "" => return Err("missing unit, write 10s"),
        _ => UNITS.iter().find(|(known, _)| *known == name).ok_or("the units are h, m, s, ms, us and ns")?,
    };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| TOO_LONG)? };
    Ok((u128::from(whole) * unit + part_of(fraction, *unit), rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `0.fraction` of `unit`, rounded down. Eighteen digits are exact: 10^18 × 3600 s in ns is below 2^127.
fn part_of(fraction: &str, unit: u128) -> u128 {
    let digits = fraction.bytes().take(18).map(|digit| u128::from(digit - b'0'));
    let (value, scale) = digits.fold((0, 1), |(value, scale), digit| (value * 10 + digit, scale * 10));
    value * unit / scale
}

/// The shortest exact form: `24h`, `1h30m`, `1.5s`, `300ms`, `0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_nanos();
        match total {
            0 => return f.write_str("0s"),
            1..1_000 => return decimal(f, total, 1, "ns"),
            1_000..1_000_000 => return decimal(f, total, 1_000, "\u{b5}s"),
            1_000_000..SECOND => return decimal(f, total, 1_000_000, "ms"),
            _ => {}
        }
        let (hours, minutes) = (total / (3600 * SECOND), total / (60 * SECOND) % 60);
        for (count, unit) in [(hours, "h"), (minutes, "m")] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        match total % (60 * SECOND) {
            0 => Ok(()),
            seconds => decimal(f, seconds, SECOND, "s"),
        }
    }
}

/// `value / unit` without trailing zeros.
fn decimal(f: &mut fmt::Formatter<'_>, value: u128, unit: u128, name: &str) -> fmt::Result {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return write!(f, "{whole}{name}");
    }
    let width = unit.ilog10() as usize;
    let part = format!("{part:0width$}");
    write!(f, "{whole}.{}{name}", part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_as_go() {
        let table = [
            ("0", 0, "0s"),
            ("+0", 0, "0s"),
            ("0s", 0, "0s"),
            ("10s", 10_000_000_000, "10s"),
            ("+10s", 10_000_000_000, "10s"),
            ("90s", 90_000_000_000, "1m30s"),
            ("1h30m", 5_400_000_000_000, "1h30m"),
            ("30m1h", 5_400_000_000_000, "1h30m"),
            ("24h0m0s", 86_400_000_000_000, "24h"),
            ("1.5h", 5_400_000_000_000, "1h30m"),
            ("1h0m0.25s", 3_600_250_000_000, "1h0.25s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("300ms", 300_000_000, "300ms"),
            ("1.05ms", 1_050_000, "1.05ms"),
            ("1500\u{b5}s", 1_500_000, "1.5ms"),
            ("3\u{3bc}s4us", 7_000, "7\u{b5}s"),
            ("12ns", 12, "12ns"),
            ("0.3333333333333333333h", 1_199_999_999_999, "19m59.999999999s"),
            ("2562047h47m16.854775807s", i64::MAX as u64, "2562047h47m16.854775807s"),
        ];
        for (text, nanoseconds, printed) in table {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.0, Duration::from_nanos(nanoseconds), "{text}");
            assert_eq!(duration.to_string(), printed);
            assert_eq!(printed.parse(), Ok(duration));
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        let table = [
            ("", "empty"),
            ("+", "empty"),
            ("10", "missing unit, write 10s"),
            ("1h30", "missing unit, write 10s"),
            ("00", "missing unit"),
            ("-1s", "negative"),
            ("s", "a number is missing"),
            (".s", "a number is missing"),
            ("1 s", "the units are"),
            ("1d", "the units are"),
            ("1s ", "the units are"),
            ("1S", "the units are"),
            ("+-1s", "a number is missing"),
            ("2562047h47m16.854775808s", "longer"),
            ("99999999999999999999999h", "longer"),
            ("18446744073709551615h", "longer"),
        ];
        for (text, why) in table {
            let error = text.parse::<GoDuration>().unwrap_err();
            assert!(error.to_string().contains(why), "{text:?}: {error}");
        }
    }
}
