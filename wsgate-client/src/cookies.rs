//! The cookies of one session: a balancer that keeps callers with a server tells them apart by a cookie, and
//! a resume has to reach the server that has the session.

use http::HeaderValue;

/// The most that is kept and sent back, in bytes.
const MOST: usize = 4096;

/// What a session's answers set. It goes back to the very URL that it came from, so that `Domain`, `Path` and
/// `Secure` (RFC 6265 section 5.2) make no difference; and it lives no longer than the session, which matters
/// more than `Expires`.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Vec<Cookie>);

struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A value may be a secret.
impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookie")
    }
}

impl Cookies {
    /// Takes what `Set-Cookie` says. What does not fit any more is left out.
    pub(crate) fn take(&mut self, set: &[HeaderValue]) {
        for line in set {
            let Some((cookie, lives)) = parse(line.as_bytes()) else { continue };
            self.0.retain(|old| old.name != cookie.name);
            if lives && self.len() + cookie.len() <= MOST {
                self.0.push(cookie);
            }
        }
        self.0.shrink_to_fit();
    }

    /// What to send back; `None`: nothing.
    pub(crate) fn to_value(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> =
            self.0.iter().map(|Cookie { name, value }| [&name[..], value].join(&b'=')).collect();
        if pairs.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn len(&self) -> usize {
        self.0.iter().map(Cookie::len).sum()
    }
}

impl Cookie {
    /// With its `=` and separator.
    fn len(&self) -> usize {
        self.name.len() + self.value.len() + "=; ".len()
    }
}

/// A cookie, and whether it is to be kept: with a `Max-Age` of 0 or less it is to be forgotten.
fn parse(line: &[u8]) -> Option<(Cookie, bool)> {
    let mut parts = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let (name, value) = pair(parts.next()?)?;
    let over = |(name, value): (&[u8], &[u8])| {
        name.eq_ignore_ascii_case(b"max-age") && (value.starts_with(b"-") || value == b"0")
    };
    let lives = !parts.filter_map(pair).any(over);
    (!name.is_empty()).then(|| (Cookie { name: name.to_vec(), value: value.to_vec() }, lives))
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    Some((text[..at].trim_ascii(), text[at + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_sent_back() {
        let long = format!("big={}", "x".repeat(MOST - 10));
        let longer = format!("big={}", "x".repeat(MOST));
        for (set, sent) in [
            (&[][..], None),
            (&["a=1; Path=/; HttpOnly", "b=2"][..], Some("a=1; b=2")),
            (&["a=1", "a=2"], Some("a=2")),
            (&["GCLB=\"abc\"; Max-Age=3600; Domain=else.example.com"], Some("GCLB=\"abc\"")),
            (&["a=1", "b=2", "a=; max-age=0"], Some("b=2")),
            (&["a=1", "a=gone; Max-Age=-1"], None),
            (&["nothing", "=anonymous", " a = b=c "], Some("a=b=c")),
            (&[&long, "a=12345678"], Some(long.as_str())),
            (&["a=1", &longer], Some("a=1")),
        ] {
            let mut cookies = Cookies::default();
            let set: Vec<_> = set.iter().map(|text| HeaderValue::from_str(text).unwrap()).collect();
            cookies.take(&set);
            let value = cookies.to_value();
            assert_eq!(value.as_ref().map(|value| value.to_str().unwrap()), sent, "{set:?}");
            assert!(value.is_none_or(|value| value.is_sensitive() && value.len() <= MOST));
            assert!(!format!("{cookies:?}").contains("GCLB"));
        }
    }
}
