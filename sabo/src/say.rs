//! What is said on stderr beside the data. It never fails: a closed stderr is no reason to lose a dump.
#![allow(clippy::print_stderr)]

use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::log::is_hostile;

/// Whether the cursor stands behind a progress bar.
static BAR: AtomicBool = AtomicBool::new(false);

/// Erases the line that a bar is on.
const ERASE: &str = "\r\x1b[K";

/// Says a line, `sabo: …`. Names of files may contain anything, so control characters are escaped.
pub fn line(text: &str) {
    let erase = if BAR.swap(false, Ordering::Relaxed) { ERASE } else { "" };
    write(&format!("{erase}sabo: {}\n", escaped(text)));
}

/// Draws a bar over the one before.
pub(crate) fn bar(text: &str) {
    BAR.store(true, Ordering::Relaxed);
    write(&format!("{ERASE}{}", escaped(text)));
}

/// Leaves the bar as it is, and goes to the next line.
pub(crate) fn end_bar() {
    if BAR.swap(false, Ordering::Relaxed) {
        write("\n");
    }
}

/// Says a line for a program.
pub(crate) fn record(line: &str) {
    write(&format!("{line}\n"));
}

fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Without characters that move a cursor or end a line.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if is_hostile(c) {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
        line
    })
}

/// What was said already.
#[derive(Debug, Default)]
pub(crate) struct Said(HashSet<String>);

impl Said {
    /// Files of many names could make many lines.
    const MOST: usize = 64;

    pub(crate) fn once(&mut self, text: String) {
        if self.is_new(&text) {
            line(&text);
        }
    }

    fn is_new(&mut self, text: &str) -> bool {
        self.0.len() < Self::MOST && self.0.insert(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_moves_the_cursor() {
        assert_eq!(escaped("a\nb\u{1b}[2Jé"), "a\\nb\\u{1b}[2Jé");
        let mut said = Said::default();
        let mut new = |i: usize| said.is_new(&i.to_string());
        assert!((0..Said::MOST).all(&mut new));
        assert!(!(0..100).any(new));
    }
}
