//! What a run moved, and what it waited for.

use crate::Bandwidth;
use crate::clock::{self, Nanos, SECOND};

/// Time spent waiting for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) source: Nanos,
    pub(crate) sink: Nanos,
    pub(crate) limit: Nanos,
}

#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) begun: Nanos,
    pub(crate) bytes: u64,
    pub(crate) waits: Waits,
}

impl Waits {
    /// Source, sink, limit; never negative.
    pub(crate) fn each(self) -> [u64; 3] {
        [self.source, self.sink, self.limit].map(|wait| u64::try_from(wait).unwrap_or(0))
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.source += more.source;
        self.sink += more.sink;
        self.limit += more.limit;
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            source: self.source - before.source,
            sink: self.sink - before.sink,
            limit: self.limit - before.limit,
        }
    }
}

impl Tally {
    pub(crate) fn new(begun: Nanos) -> Self {
        Self { begun, bytes: 0, waits: Waits::default() }
    }

    /// Bytes a second since the beginning.
    pub(crate) fn mean(&self, now: Nanos) -> u64 {
        rate(self.bytes, now - self.begun)
    }

    /// `123456 bytes in 1.234 s, mean 100 kB/s (100046 B/s), waited 0.001 s for source, …`
    pub(crate) fn line(&self, now: Nanos, checksum: Option<&str>) -> String {
        let mean = self.mean(now);
        let checksum = checksum.map(|digest| format!(", sha256 {digest}")).unwrap_or_default();
        format!(
            "{} bytes in {:.3} s, mean {} ({mean} B/s), waited {:.3} s for source, {:.3} s for sink, {:.3} s \
             for limit{checksum}",
            self.bytes,
            clock::seconds(now - self.begun),
            per_second(mean),
            clock::seconds(self.waits.source),
            clock::seconds(self.waits.sink),
            clock::seconds(self.waits.limit),
        )
    }
}

/// `bytes` over a span, in bytes a second.
pub(crate) fn rate(bytes: u64, span: Nanos) -> u64 {
    let span = u128::try_from(span).unwrap_or(0).max(1);
    u64::try_from(u128::from(bytes) * SECOND as u128 / span).unwrap_or(u64::MAX)
}

/// Three digits for people: `98.7 MB`.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn amount(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", units[unit])
}

pub(crate) fn per_second(rate: u64) -> String {
    format!("{}/s", amount(rate))
}

/// As `--max-bandwidth` would be written.
pub(crate) fn limit(rate: u64) -> String {
    Bandwidth::new(rate).map_or_else(|| "0".to_owned(), |rate| rate.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_940, "99.9 kB"),
            (99_960, "100 kB"),
            (999_400, "999 kB"),
            (999_600, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, text) in table {
            assert_eq!(amount(bytes), text);
        }
    }

    #[test]
    fn the_last_line_says_everything() {
        let waits = Waits { source: 1_000_000, sink: 0, limit: 2 * SECOND };
        let tally = Tally { begun: SECOND, bytes: 250_000_000, waits };
        assert_eq!(
            tally.line(3 * SECOND + SECOND / 2, Some("ab")),
            "250000000 bytes in 2.500 s, mean 100 MB/s (100000000 B/s), waited 0.001 s for source, 0.000 s for \
             sink, 2.000 s for limit, sha256 ab"
        );
        assert_eq!(Tally::new(5).mean(5), 0);
    }
}
