//! A token that somebody else made: what is sent of it, and until when it is of use.
//!
//! ```text
//! minted                              renew              until  exp
//! ├──────────────────────────────────────┼──────────────────┼────┤
//!            used                          used, replaced     not used: it has a way to go, and clocks differ
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;

use crate::credential::bearer;

/// From so long before its expiry a token is replaced; from half of its life if that is shorter.
const RENEW: Duration = Duration::from_secs(5 * 60);
/// From so long before its expiry a token is not used any more; for a tenth of its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(30);
/// A token that does not say how long it lives is replaced after so long.
const UNTOLD: Duration = Duration::from_secs(5 * 60);
/// The longest token, in bytes: what the gateway takes.
const LONGEST: usize = token::MAX_TOKEN;

/// A token. Its value is marked as sensitive, so that no debug output shows it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// `Bearer TOKEN`
    pub(crate) bearer: HeaderValue,
    /// From then on it is to be replaced.
    pub(crate) renew: SystemTime,
    /// From then on it is not to be used; `None`: it does not say.
    until: Option<SystemTime>,
}

/// Why a text is no token that can be used. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("is empty")]
    Empty,
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    #[error("has characters that no token has, or is not the only word")]
    Alphabet,
    #[error("has no exp")]
    NoExpiry,
    #[error("has expired already; is this machine's clock right?")]
    Expired,
}

impl Held {
    /// An identity token, which says when it expires.
    pub(crate) fn identity(token: &str, now: SystemTime) -> Result<Self, BadToken> {
        let bearer = one_token(token)?;
        let expires = expiry(token).ok_or(BadToken::NoExpiry)?;
        Self::until(bearer, expires, now)
    }

    /// Any token; if it is a JWT with an `exp`, that counts.
    pub(crate) fn any(token: &str, now: SystemTime) -> Result<Self, BadToken> {
        let bearer = one_token(token)?;
        match expiry(token) {
            Some(expires) => Self::until(bearer, expires, now),
            None => Ok(Self { bearer, renew: now + UNTOLD, until: None }),
        }
    }

    fn until(bearer: HeaderValue, expires: SystemTime, now: SystemTime) -> Result<Self, BadToken> {
        let left = expires.duration_since(now).unwrap_or_default();
        if left.is_zero() {
            return Err(BadToken::Expired);
        }
        let renew = now + (left - RENEW.min(left / 2));
        let until = now + (left - MARGIN.min(left / 10));
        Ok(Self { bearer, renew, until: Some(until) })
    }

    pub(crate) fn is_good_at(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// `Bearer TOKEN` of a text that is one token in the alphabet of RFC 6750 section 2.1.
pub(crate) fn one_token(token: &str) -> Result<HeaderValue, BadToken> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match token.len() {
        0 => Err(BadToken::Empty),
        length if length > LONGEST => Err(BadToken::TooLong),
        _ if !token.bytes().all(fits) => Err(BadToken::Alphabet),
        _ => bearer(token).ok_or(BadToken::Alphabet),
    }
}

/// Of the token's claims, the one that matters to who carries it. Not every issuer writes whole seconds.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// The `exp` of a token that nobody has verified: it is for who receives it to do that.
fn expiry(token: &str) -> Option<SystemTime> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    // Beyond the year 9999 a token never expires, and every sum of times fits.
    let seconds = Duration::try_from_secs_f64(exp.min(253_402_300_799.0)).ok()?;
    UNIX_EPOCH.checked_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("eyJ.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn a_token_is_replaced_ahead_of_its_expiry() {
        for (exp, now, renew, until) in [
            ("4600", 1000, 4300, Some(4570)),
            ("4600.5", 1000, 4300, Some(4570)),
            ("1060", 1000, 1030, Some(1054)),
            ("1400", 1000, 1200, Some(1370)),
            ("1e300", 1000, 253_402_300_499, Some(253_402_300_769)),
            ("-1", 1000, 1300, None),
            ("\"4600\"", 1000, 1300, None),
        ] {
            let token = jwt(&format!(r#"{{"exp":{exp}}}"#));
            let held = Held::any(&token, at(now)).unwrap();
            assert_eq!(held.bearer, format!("Bearer {token}"));
            assert!(held.renew >= at(renew) && held.renew < at(renew + 1), "{exp}: {:?}", held.renew);
            let last = until.map_or(at(u64::from(u32::MAX)), |until| at(until - 1));
            assert!(held.is_good_at(last), "{exp}");
            assert!(until.is_none_or(|until| !held.is_good_at(at(until + 1))), "{exp}");
            assert!(!format!("{held:?}").contains("eyJ"));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let long = "a".repeat(LONGEST + 1);
        for (token, any, identity) in [
            ("", Err(BadToken::Empty), Err(BadToken::Empty)),
            (long.as_str(), Err(BadToken::TooLong), Err(BadToken::TooLong)),
            ("two words", Err(BadToken::Alphabet), Err(BadToken::Alphabet)),
            ("a\nb", Err(BadToken::Alphabet), Err(BadToken::Alphabet)),
            ("t\u{f6}ken", Err(BadToken::Alphabet), Err(BadToken::Alphabet)),
            ("\"quoted\"", Err(BadToken::Alphabet), Err(BadToken::Alphabet)),
            ("opaque", Ok(()), Err(BadToken::NoExpiry)),
            ("a.!.c", Err(BadToken::Alphabet), Err(BadToken::Alphabet)),
            (&jwt("{}"), Ok(()), Err(BadToken::NoExpiry)),
            (&jwt("[]"), Ok(()), Err(BadToken::NoExpiry)),
            (&jwt(r#"{"exp":1000}"#), Err(BadToken::Expired), Err(BadToken::Expired)),
            (&jwt(r#"{"exp":1001}"#), Ok(()), Ok(())),
        ] {
            assert_eq!(Held::any(token, at(1000)).map(drop), any, "{token}");
            assert_eq!(Held::identity(token, at(1000)).map(drop), identity, "{token}");
        }
    }
}
