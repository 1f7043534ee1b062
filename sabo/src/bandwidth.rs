//! Rates and sizes, in every spelling that the original takes.
//!
//! The original reads them with go-humanize: a decimal number, commas ignored, then a unit in any case, of
//! 1000 (`k`, `kB`) or of 1024 (`Ki`, `KiB`). The product is a 64-bit float, rounded down. It is computed in
//! the same way here, since the number of a group is in the names of its files, which originals look for.

use std::fmt;
use std::str::FromStr;

/// Bytes a second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(u64);

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Why a text is no rate or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}: {1}")]
pub struct InvalidAmount(String, &'static str);

const PREFIXES: [char; 6] = ['k', 'm', 'g', 't', 'p', 'e'];

/// 2^64 as a float.
const TOO_LARGE: f64 = 18_446_744_073_709_551_616.0;

impl Bandwidth {
    /// A rate; none if `bytes` is 0.
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes > 0).then_some(Self(bytes))
    }

    /// Bytes a second.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// The original's spellings, and those of bits: `800Mbit` is 100 MB.
impl FromStr for Bandwidth {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| InvalidAmount(text.to_owned(), why);
        let (number, unit) = split(text).map_err(wrong)?;
        let factor = match unit.strip_suffix("bit") {
            Some(prefix) => factor(prefix).map(|bits| bits / 8.0),
            None => factor(unit.strip_suffix('b').unwrap_or(&unit)),
        };
        let bytes = product(number, factor.ok_or(wrong("unknown unit, write 100M, 12.5MiB or 800Mbit"))?);
        Self::new(bytes.map_err(wrong)?).ok_or(wrong("at least 1 byte a second"))
    }
}

impl FromStr for Size {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| InvalidAmount(text.to_owned(), why);
        let (number, unit) = split(text).map_err(wrong)?;
        let factor = factor(unit.strip_suffix('b').unwrap_or(&unit));
        let factor = factor.ok_or(wrong("unknown unit, write 12G, 1.5TiB or 1000000"))?;
        product(number, factor).map(Self).map_err(wrong)
    }
}

/// The number, and the unit in small letters.
fn split(text: &str) -> Result<(f64, String), &'static str> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let (number, unit) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
    let number = number.replace(',', "").parse().map_err(|_| "no number, write 100M")?;
    Ok((number, unit.trim().to_lowercase()))
}

/// Of ``, `k`, `ki`, `m`, …
fn factor(prefix: &str) -> Option<f64> {
    let mut letters = prefix.chars();
    let Some(first) = letters.next() else { return Some(1.0) };
    let base: f64 = match letters.as_str() {
        "" => 1000.0,
        "i" => 1024.0,
        _ => return None,
    };
    let power = PREFIXES.iter().position(|known| *known == first)?;
    Some(base.powi(i32::try_from(power).ok()? + 1))
}

fn product(number: f64, factor: f64) -> Result<u64, &'static str> {
    let product = number * factor;
    if product >= TOO_LARGE {
        return Err("too large");
    }
    // Not negative, below 2^64: this rounds down, as Go does.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(product as u64)
}

/// The shortest text that reads as this very rate: `100M`, `1.5G`, `12.5Mi`, `32k`, `999`.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = ["", "i"].into_iter().find_map(|kind| self.in_unit(kind));
        f.write_str(&text.unwrap_or_else(|| self.0.to_string()))
    }
}

impl Bandwidth {
    /// In the largest unit of this kind, if three decimals suffice.
    fn in_unit(self, kind: &str) -> Option<String> {
        let base: u64 = if kind.is_empty() { 1000 } else { 1024 };
        let power = u32::try_from(PREFIXES.len()).ok()?;
        let power = (1..=power).rev().find(|power| self.0 >= base.pow(*power))?;
        let unit = u128::from(base.pow(power));
        let thousandths = u128::from(self.0) * 1000;
        let text = format!("{}.{:03}", thousandths / unit / 1000, thousandths / unit % 1000);
        let number = text.trim_end_matches('0').trim_end_matches('.');
        let prefix = PREFIXES[power as usize - 1];
        let prefix = if power == 1 && kind.is_empty() { prefix } else { prefix.to_ascii_uppercase() };
        let text = format!("{number}{prefix}{kind}");
        (text.parse() == Ok(self)).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_original_reads() {
        let table = [
            ("100M", 100_000_000),
            ("100m", 100_000_000),
            ("100MB", 100_000_000),
            ("100 mb", 100_000_000),
            ("100MiB", 104_857_600),
            ("100Mi", 104_857_600),
            ("1.5g", 1_500_000_000),
            ("10 kB", 10_000),
            ("1,000,000", 1_000_000),
            ("1,0.5k", 10_500),
            (".5k", 500),
            ("5.k", 5_000),
            ("32000b", 32_000),
            ("1", 1),
            ("1.9", 1),
            ("4.35k", 4_350),
            ("1.001M", 1_000_999), // 1000999.9999999999, as in Go
            ("2T", 2_000_000_000_000),
            ("1PiB", 1 << 50),
            ("1E", 1_000_000_000_000_000_000),
            ("800Mbit", 100_000_000),
            ("800 mbit", 100_000_000),
            ("8bit", 1),
            ("1Gibit", 1 << 27),
            ("64kbit", 8_000),
        ];
        for (text, bytes) in table {
            assert_eq!(text.parse::<Bandwidth>().map(Bandwidth::bytes), Ok(bytes), "{text}");
            if !text.ends_with("bit") {
                assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            }
        }
        assert_eq!("0".parse(), Ok(Size(0)));
    }

    #[test]
    fn refuses_with_the_reason() {
        let table = [
            ("", "no number"),
            ("M", "no number"),
            (" 1M", "no number"),
            ("-1M", "no number"),
            ("1.2.3M", "no number"),
            (".", "no number"),
            ("100MM", "unknown unit"),
            ("100X", "unknown unit"),
            ("100Mib ps", "unknown unit"),
            ("100 M b", "unknown unit"),
            ("1bb", "unknown unit"),
            ("7bit", "at least 1"),
            ("0", "at least 1"),
            ("0.9", "at least 1"),
            ("20E", "too large"),
            ("99999999999999999999", "too large"),
        ];
        for (text, why) in table {
            let error = text.parse::<Bandwidth>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!("8bit".parse::<Size>().is_err());
    }

    #[test]
    fn prints_what_it_reads() {
        let table = [
            (100_000_000, "100M"),
            (50_000_000, "50M"),
            (1_500_000_000, "1.5G"),
            (104_857_600, "100Mi"),
            (32_000, "32k"),
            (999, "999"),
            (1, "1"),
            (1_001_000, "1001000"), // 1.001M reads as 1000999
            (1_000_001, "1000001"),
            (u64::MAX, "18446744073709551615"),
        ];
        for (bytes, text) in table {
            assert_eq!(Bandwidth(bytes).to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_printed_rate_reads_as_itself(bytes in 1..u64::MAX >> 11) {
            proptest::prop_assert_eq!(Bandwidth(bytes).to_string().parse(), Ok(Bandwidth(bytes)));
        }
    }
}
