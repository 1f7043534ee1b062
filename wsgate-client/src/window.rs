//! `--window`: how much of a tunnel may be on its way.

use std::str::FromStr;

use tunnel::header::{DEFAULT_WINDOW, MAX_WINDOW, MIN_WINDOW};

/// A window in bytes, 64 KiB to 16 MiB; written `1048576`, `1024KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(pub u32);

/// A text that is no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give 64KiB to 16MiB, or bytes")]
pub struct BadWindow;

impl Default for Window {
    fn default() -> Self {
        Self(DEFAULT_WINDOW)
    }
}

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Self, BadWindow> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let shift = match unit {
            "" => 0,
            "KiB" => 10,
            "MiB" => 20,
            _ => return Err(BadWindow),
        };
        let number: u32 = number.parse().map_err(|_| BadWindow)?;
        let bytes = number.checked_mul(1 << shift).ok_or(BadWindow)?;
        (MIN_WINDOW..=MAX_WINDOW).contains(&bytes).then_some(Self(bytes)).ok_or(BadWindow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        for (text, bytes) in [
            ("65536", Some(64 << 10)),
            ("64KiB", Some(64 << 10)),
            ("1MiB", Some(1 << 20)),
            ("16MiB", Some(16 << 20)),
            ("65535", None),
            ("17MiB", None),
            ("4194305KiB", None),
            ("1MB", None),
            ("1 MiB", None),
            ("MiB", None),
            ("+1MiB", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), bytes.map(Window), "{text}");
        }
        assert_eq!(Window::default(), "1MiB".parse().unwrap());
    }
}
