//! Text with words in braces that stand for bytes.

use crate::forge::Keys;
use crate::issuer::now;

/// `text` with every `{WORD}` that `meaning` knows replaced; other braces are text, as JSON has them.
pub fn expand(text: &str, meaning: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.extend(before.bytes());
        let word = after.split_once('}').and_then(|(word, after)| Some((meaning(word)?, after)));
        (rest, _) = match word {
            Some((bytes, after)) => (after, out.extend(bytes)),
            None => (after, out.push(b'{')),
        };
    }
    out.extend(rest.bytes());
    out
}

/// The words that may stand anywhere in a row:
///
/// ```text
/// {now} {now+60} {now-60}    seconds since 1970
/// {byte ff}                  a byte
/// {times 32 [}               a text so many times
/// {jwk KEY}                  a public key
/// ```
pub fn common(word: &str, keys: &Keys) -> Option<Vec<u8>> {
    if let Some(offset) = word.strip_prefix("now") {
        let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().ok()? };
        return Some(now().checked_add_signed(offset)?.to_string().into());
    }
    let (kind, rest) = word.split_once(' ')?;
    match kind {
        "byte" => Some(vec![u8::from_str_radix(rest, 16).ok()?]),
        "times" => {
            rest.split_once(' ').and_then(|(count, text)| Some(text.repeat(count.parse().ok()?).into()))
        }
        "jwk" => Some(keys.get(rest).jwk(None).into()),
        _ => None,
    }
}
