//! A line being written, which stops growing in time.

use super::escape::Escape;

/// The longest line, with its newline, in bytes. Also PIPE_BUF on Linux: a write of this size to a pipe is
/// not mixed with another process's (pipe(7)).
pub(super) const LONGEST: usize = 4096;

/// The longest value: a caller's endless field must not push out the fields behind it.
const LONGEST_VALUE: usize = 1024;

/// Kept free for what ends a line: `…`, a quotation mark, `,"cut":true}` and the newline.
const ENDING: usize = 32;

pub(super) struct Line {
    text: String,
    cut: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Line { text: String::with_capacity(256), cut: false }
    }

    /// Appends `piece`, or nothing if it does not fit.
    pub(super) fn push(&mut self, piece: &str) -> bool {
        let fits = self.text.len() + piece.len() <= LONGEST - ENDING;
        if fits {
            self.text.push_str(piece);
        } else {
            self.cut = true;
        }
        fits
    }

    /// Appends as much of `value` as fits, with `…` if that is not all.
    pub(super) fn push_value(&mut self, value: &str, escape: Escape) {
        let end = (self.text.len() + LONGEST_VALUE).min(LONGEST - ENDING);
        for c in value.chars() {
            let before = self.text.len();
            escape(c, &mut self.text);
            if self.text.len() > end {
                self.text.truncate(before);
                self.text.push('…');
                self.cut = true;
                return;
            }
        }
    }

    /// Appends what ends a value that was begun; there is always room for it.
    pub(super) fn close(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// The line, which says so if something is missing.
    pub(super) fn finish(mut self, if_cut: &str, end: &str) -> String {
        if self.cut {
            self.text.push_str(if_cut);
        }
        self.text.push_str(end);
        self.text.push('\n');
        self.text
    }
}
