//! The claims of a token, RFC 7519 §4.1, typed but not yet believed.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Refused, json};

const MAX_DEPTH: usize = 32;

/// The first second of the year 10000, in seconds since 1970. Beyond it there is no RFC 3339 time,
/// and a value in milliseconds is caught as well.
const MAX_DATE: u64 = 253_402_300_800;

/// When a token is valid, each as the time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) issued: Duration,
    pub(crate) expires: Duration,
    pub(crate) not_before: Option<Duration>,
}

/// The payload of a token.
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) dates: Dates,
    pub(crate) all: Map<String, Value>,
}

impl Claims {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let all = json::object(bytes, MAX_DEPTH)?;
        let dates = Dates {
            issued: date(&all, "iat")?.ok_or(Refused::MissingClaim("iat"))?,
            expires: date(&all, "exp")?.ok_or(Refused::MissingClaim("exp"))?,
            not_before: date(&all, "nbf")?,
        };
        Ok(Claims { subject: subject(&all)?.to_owned(), dates, all })
    }
}

fn subject(claims: &Map<String, Value>) -> Result<&str, Refused> {
    match claims.get("sub") {
        None => Err(Refused::MissingClaim("sub")),
        Some(Value::String(sub)) if sub.is_empty() => Err(Refused::SubjectLength),
        Some(Value::String(sub)) => Ok(sub),
        Some(_) => Err(Refused::ClaimType("sub")),
    }
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, possibly with a fraction.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Duration>, Refused> {
    let number = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(Refused::ClaimType(name)),
    };
    let date = match number.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    date.filter(|date| date.as_secs() < MAX_DATE).ok_or(Refused::DateRange(name)).map(Some)
}
