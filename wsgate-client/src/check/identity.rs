//! Whom a bearer token names and until when, as it says itself; nothing of it is verified or shown.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::DateTime;
use serde::Deserialize;

/// RFC 7519 section 4.1, and the e-mail of an identity token.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    email: Option<String>,
    exp: Option<u64>,
}

/// `alice, until 2026-11-21T22:40:12Z`
pub(super) fn of_bearer(value: &str) -> String {
    let Some(Claims { sub, email, exp }) = claims(value) else { return "a token without claims".into() };
    let who = email.or(sub).unwrap_or("nobody in particular".into());
    let who: String = who.chars().filter(|letter| !letter.is_control()).take(256).collect();
    let until = exp.and_then(|exp| DateTime::from_unix_duration(Duration::from_secs(exp)).ok());
    match until {
        Some(until) => format!("{who}, until {until}"),
        None => format!("{who}, for ever as it says"),
    }
}

fn claims(value: &str) -> Option<Claims> {
    let payload = value.strip_prefix("Bearer ")?.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_say_whom_they_name() {
        for (payload, says) in [
            (r#"{"sub":"alice","exp":1800000000}"#, "alice, until 2027-01-15T08:00:00Z"),
            (
                r#"{"sub":"1","email":"a@example.com","exp":1800000000}"#,
                "a@example.com, until 2027-01-15T08:00:00Z",
            ),
            (r#"{"sub":"a\u001b[31mb"}"#, "a[31mb, for ever as it says"),
            (r#"{"exp":18446744073709551615}"#, "nobody in particular, for ever as it says"),
            ("[]", "a token without claims"),
        ] {
            assert_eq!(of_bearer(&format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))), says);
        }
        for value in ["", "Bearer", "Bearer opaque", "Bearer a.b.c"] {
            assert_eq!(of_bearer(value), "a token without claims");
        }
    }
}
