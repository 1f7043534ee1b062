//! Where Lua code ends (Lua 5.1 §2.1): at the `}` that nothing inside opened.

/// The bytes up to and with that `}`.
pub(super) fn length(code: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = &code[at..];
        at += match rest.bytes().next()? {
            b'{' => {
                depth += 1;
                1
            }
            b'}' if depth == 0 => return Some(at + 1),
            b'}' => {
                depth -= 1;
                1
            }
            b'"' | b'\'' => string(rest)?,
            b'-' if rest.starts_with("--") => comment(rest)?,
            b'[' => long(rest).unwrap_or(Some(1))?,
            _ => rest.chars().next()?.len_utf8(),
        };
    }
}

/// `"…"` with backslashes.
fn string(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `--` to the end of the line, or `--[[ … ]]`.
fn comment(text: &str) -> Option<usize> {
    match long(&text[2..]) {
        Some(length) => Some(2 + length?),
        None => text.find('\n'),
    }
}

/// `[[ … ]]`, `[=[ … ]=]`: none if it begins in another way, then none if it does not end.
fn long(text: &str) -> Option<Option<usize>> {
    let inner = text.strip_prefix('[')?;
    let level = inner.bytes().take_while(|byte| *byte == b'=').count();
    inner[level..].starts_with('[').then(|| {
        let end = format!("]{}]", "=".repeat(level));
        Some(text.find(&end)? + end.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_ends_at_its_brace() {
        for (code, rest) in [
            ("} x", Some(" x")),
            (" a = { b = {} } }x", Some("x")),
            (" s = \"}\\\"}\" t = '}' } x", Some(" x")),
            (" -- }\n } x", Some(" x")),
            (" --[[ } ]] } x", Some(" x")),
            (" s = [==[ } ]] ]=] } ]==] } x", Some(" x")),
            (" a[1] = b[c[2]] } x", Some(" x")),
            ("é } x", Some(" x")),
            ("{ }", None),
            ("\"}", None),
            ("[[ }", None),
            ("-- }", None),
        ] {
            assert_eq!(length(code).map(|length| &code[length..]), rest, "{code}");
        }
    }
}
