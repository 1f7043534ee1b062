//! Amounts of memory: as flags and files write them, and how much there is.

use std::fmt;
use std::fs;
use std::str::FromStr;

use crate::header::{MAX_WINDOW, MIN_WINDOW};

/// However much memory there is, tunnels hold no more unless they are told to, in bytes.
const MOST: usize = 1 << 30;

const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// A number of bytes, written `1048576`, `1024KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub usize);

/// A window of a tunnel in bytes, written likewise, from 64 KiB to 16 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(pub u32);

/// Text that is no amount of memory, or none that may be a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// It is none at all.
    #[error("bad size {0:?}: write 1048576, 64KiB, 1MiB or 1GiB")]
    Form(String),
    /// It is too small or too large for a window.
    #[error("bad window {0:?}: it is from 64KiB to 16MiB")]
    Window(String),
}

impl FromStr for ByteSize {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bytes = || {
            let (digits, unit) =
                UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
            // A sign would be taken too.
            let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<usize>().ok().filter(|_| whole)?.checked_mul(unit)
        };
        bytes().map(Self).ok_or_else(|| BadSize::Form(text.to_owned()))
    }
}

impl FromStr for Window {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bytes = u32::try_from(text.parse::<ByteSize>()?.0).ok();
        let fits = bytes.filter(|bytes| (MIN_WINDOW..=MAX_WINDOW).contains(bytes));
        fits.map(Self).ok_or_else(|| BadSize::Window(text.to_owned()))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, unit): &&(&str, usize)| self.0 != 0 && self.0.is_multiple_of(*unit);
        let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// A quarter of what this process may have, at most 1 GiB, in bytes: of the machine's memory (proc(5)), or of the
/// control group's (cgroups(7)). What cannot be read is not a limit.
pub fn quarter_of_memory() -> usize {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let known = [machine.as_deref().and_then(mem_total), group.and_then(|text| text.trim().parse().ok())];
    known.into_iter().flatten().min().map_or(MOST, |bytes: usize| (bytes / 4).min(MOST))
}

/// `MemTotal:       16384 kB` of /proc/meminfo, in bytes.
fn mem_total(text: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("65536", 65_536, "64KiB"),
            ("1000", 1000, "1000"),
            ("64KiB", 65_536, "64KiB"),
            ("1MiB", 1 << 20, "1MiB"),
            ("2GiB", 2 << 30, "2GiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size, size.to_string().as_str()), (ByteSize(bytes), shown), "{text}");
        }
        for bad in ["", "MiB", "-1", "+1", "1M", "1 MiB", "1.5MiB", "99999999999GiB"] {
            assert_eq!(bad.parse::<ByteSize>(), Err(BadSize::Form(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn memory_is_read_and_bounded() {
        assert_eq!(mem_total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!((mem_total(""), mem_total("MemTotal: many")), (None, None));
        assert!((1 << 20..=MOST).contains(&quarter_of_memory()));
    }

    #[test]
    fn a_window_has_bounds() {
        for (text, taken) in
            [("64KiB", true), ("16777216", true), ("65535", false), ("17MiB", false), ("8GiB", false)]
        {
            assert_eq!(text.parse::<Window>().is_ok(), taken, "{text}");
        }
    }
}
