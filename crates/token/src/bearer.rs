//! The token in an `Authorization` header.
//!
//! ```text
//! Authorization: Bearer eyJhbGciOi….eyJzdWIiOi….c2lnbmF0dXJl        RFC 6750 §2.1, narrowed
//!                ^any case ^one or more spaces, one token, ≤ 8 KiB
//! ```

use crate::{MAX_TOKEN, Refused, compact};

/// What to do with a token that stands there without a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// Take a token of three parts; [`Bearer::bare`] tells
    Accept,
    /// Refuse it
    Refuse,
}

/// The token of an `Authorization` header; not yet looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bearer<'a> {
    /// At most [`MAX_TOKEN`] bytes of base64url and dots
    pub token: &'a str,
    /// There was no scheme: the caller should be told to write `Bearer`
    pub bare: bool,
}

/// Leaves the token out: it is a credential.
impl std::fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer").field("bare", &self.bare).finish_non_exhaustive()
    }
}

/// The token in `values`, the values of all `Authorization` lines of a request.
///
/// # Errors
/// `NoAuthorization`, `SeveralAuthorizations`, `Scheme`, `TooLong` or `Alphabet`.
pub fn bearer<'a>(values: impl IntoIterator<Item = &'a [u8]>, bare: Bare) -> Result<Bearer<'a>, Refused> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(Refused::NoAuthorization)?;
    if values.next().is_some() {
        return Err(Refused::SeveralAuthorizations);
    }
    if let Some(token) = after_scheme(value) {
        return Ok(Bearer { token: one_token(token)?, bare: false });
    }
    match one_token(value) {
        Ok(token) if bare == Bare::Accept && token.split('.').count() == 3 => {
            Ok(Bearer { token, bare: true })
        }
        Err(Refused::TooLong) => Err(Refused::TooLong),
        _ => Err(Refused::Scheme),
    }
}

fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer".len())?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    (scheme.eq_ignore_ascii_case(b"Bearer") && spaces > 0).then(|| &rest[spaces..])
}

fn one_token(token: &[u8]) -> Result<&str, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Refused::TooLong);
    }
    if token.is_empty() {
        return Err(Refused::Scheme);
    }
    std::str::from_utf8(token).ok().filter(|t| compact::in_alphabet(t)).ok_or(Refused::Alphabet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "aa.bb.cc";

    #[test]
    fn one_line_one_token() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN));
        let too_long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        let rows: &[(&[&str], Result<&str, Refused>)] = &[
            (&["Bearer aa.bb.cc"], Ok(T)),
            (&["bearer aa.bb.cc"], Ok(T)),
            (&["bEARER    aa.bb.cc"], Ok(T)),
            (&["Bearer notatoken"], Ok("notatoken")),
            (&[&long], Ok(&long[7..])),
            (&[&too_long], Err(Refused::TooLong)),
            (&[], Err(Refused::NoAuthorization)),
            (&["Bearer aa.bb.cc", "Bearer aa.bb.cc"], Err(Refused::SeveralAuthorizations)),
            (&["Bearer aa.bb.cc", ""], Err(Refused::SeveralAuthorizations)),
            (&[""], Err(Refused::Scheme)),
            (&["Bearer"], Err(Refused::Scheme)),
            (&["Bearer "], Err(Refused::Scheme)),
            (&["Beareraa.bb.cc"], Err(Refused::Scheme)),
            (&["Bearer\taa.bb.cc"], Err(Refused::Scheme)),
            (&[" Bearer aa.bb.cc"], Err(Refused::Scheme)),
            (&["Basic aa.bb.cc"], Err(Refused::Scheme)),
            (&["Bearer: aa.bb.cc"], Err(Refused::Scheme)),
            (&["Bearer aa.bb.cc "], Err(Refused::Alphabet)),
            (&["Bearer aa.bb.cc dd"], Err(Refused::Alphabet)),
            (&["Bearer aa.bb.cc, Bearer aa.bb.cc"], Err(Refused::Alphabet)),
            (&["Bearer aa.bb.cc="], Err(Refused::Alphabet)),
            (&["Bearer aa.b+b.cc"], Err(Refused::Alphabet)),
            (&["Bearer \"aa.bb.cc\""], Err(Refused::Alphabet)),
            (&["Bearer aa.bb.c\u{e9}"], Err(Refused::Alphabet)),
            (&["aa.bb.cc"], Err(Refused::Scheme)),
        ];
        for (lines, expected) in rows {
            let got = bearer(lines.iter().map(|line| line.as_bytes()), Bare::Refuse);
            assert_eq!(got.map(|b| b.token), *expected, "{lines:?}");
        }
    }

    #[test]
    fn a_bare_token_is_taken_and_told() {
        let rows = [
            ("aa.bb.cc", Ok(Bearer { token: T, bare: true })),
            ("Bearer aa.bb.cc", Ok(Bearer { token: T, bare: false })),
            ("aa.bb", Err(Refused::Scheme)),
            ("aa.bb.cc.dd", Err(Refused::Scheme)),
            ("Basic aa.bb.cc", Err(Refused::Scheme)),
            ("aa.bb.cc ", Err(Refused::Scheme)),
        ];
        for (value, expected) in rows {
            assert_eq!(bearer([value.as_bytes()], Bare::Accept), expected, "{value}");
        }
        let too_long = "a.".repeat(MAX_TOKEN);
        assert_eq!(bearer([too_long.as_bytes()], Bare::Accept), Err(Refused::TooLong));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(bearer([&b"Bearer aa.\xff.cc"[..]], Bare::Accept), Err(Refused::Alphabet));
        assert_eq!(bearer([&b"\xff\xfe"[..]], Bare::Accept), Err(Refused::Scheme));
    }

    #[test]
    fn debug_keeps_the_token_back() {
        assert!(!format!("{:?}", Bearer { token: T, bare: true }).contains("aa"));
    }
}
