//! Texts from a peer, made fit for a line of log.

/// At most `max` bytes of a peer's text in one line: what is not UTF-8 replaced, control characters
/// and what reorders or breaks a line (Unicode bidirectional controls, line separators) left out,
/// runs of space made one.
pub(crate) fn line(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max)]);
    let spaced: String =
        text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    let visible = |word: &str| word.chars().filter(|letter| !is_hidden(*letter)).collect::<String>();
    let words: Vec<String> = spaced.split(' ').map(visible).filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    while line.len() > max {
        line.pop(); // a replaced byte grows to three
    }
    line
}

fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_surprises() {
        let rows: [(&[u8], &str); 6] = [
            (b"", ""),
            (b"no such key", "no such key"),
            (b"{\r\n  \"error\": \"x\"\n}\n", "{ \"error\": \"x\" }"),
            (b"a\x1b[31mb\x00c\x7f", "a[31mbc"),
            ("a\u{202e}b\u{2028}c\u{feff}".as_bytes(), "ab c"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(line(bytes, 100), expected);
        }
        assert_eq!(line(&[b'x'; 5000], 1024).len(), 1024);
        assert_eq!(line(&[0xff; 12], 10), "\u{fffd}".repeat(3));
    }
}
