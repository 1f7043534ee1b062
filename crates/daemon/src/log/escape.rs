//! Characters that could end a line, move a cursor or hide what follows never reach a log as they are.

use std::fmt::Write;

/// Appends a character in the form that a format has for it.
pub(super) type Escape = fn(char, &mut String);

/// C0, DEL and C1 controls (which terminals obey), the line and paragraph separators, and the marks that
/// change the direction of text (Unicode TR 9), which make a line look like another one.
pub fn is_hostile(c: char) -> bool {
    let separates_or_directs = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    c.is_control() || separates_or_directs
}

/// RFC 8259, 7. All hostile characters have four hexadecimal digits at most.
pub(super) fn json(c: char, line: &mut String) {
    match c {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        _ if is_hostile(c) => {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
        _ => line.push(c),
    }
}

/// As Rust writes it: `\n`, `\u{1b}`.
pub(super) fn plain(c: char, line: &mut String) {
    match c {
        '\\' => line.push_str("\\\\"),
        _ if is_hostile(c) => line.extend(c.escape_default()),
        _ => line.push(c),
    }
}

/// [`plain`], between quotation marks.
pub(super) fn quoted(c: char, line: &mut String) {
    match c {
        '"' => line.push_str("\\\""),
        _ => plain(c, line),
    }
}
