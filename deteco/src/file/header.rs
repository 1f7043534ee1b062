//! `[services.headers]`: which claims become headers of the answer.

use std::fmt;
use std::str::FromStr;

use daemon::Text;
use http::HeaderName;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::place::has_pem;

/// Headers that say how a message is framed, kept or authenticated (RFC 9110 §7.6.1 and others), or that
/// deteco sends or hears itself.
const TAKEN: [&str; 27] = [
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "keep-alive",
    "location",
    "pragma",
    "server",
    "set-cookie",
    "status",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
    "x-deteco-scope",
    "x-deteco-user",
    "x-original-method",
    "x-original-uri",
    "x-forwarded-for",
    "x-real-ip",
];

/// Families of such headers.
const TAKEN_PREFIXES: [&str; 4] = ["content-", "proxy-", "sec-", "x-accel-"];

/// Header and claim, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Headers(pub(crate) Vec<(HeaderName, String)>);

/// The name of a header that may carry a claim.
struct Name(HeaderName);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name: HeaderName =
            text.parse().map_err(|_| "this is no name of a header, such as X-Deteco-Email".to_owned())?;
        let prefixed = TAKEN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        if prefixed || TAKEN.contains(&name.as_str()) {
            return Err(format!("the header {text:?} has another meaning; take one such as X-Deteco-Email"));
        }
        Ok(Name(name))
    }
}

/// The name of a claim.
struct Claim(String);

impl FromStr for Claim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Err("this is no claim of a token; write one such as email"),
            _ if has_pem(text) => Err("expected a claim such as email"),
            _ => Ok(Claim(text.into())),
        }
    }
}

struct HeadersVisitor;

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(HeadersVisitor)
    }
}

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of headers and claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some((Text(Name(name)), Text(Claim(claim)))) = map.next_entry()? {
            if headers.0.iter().any(|(known, _)| *known == name) {
                let what = format!("the header {name} is there twice, in capitals and small letters");
                return Err(A::Error::custom(what));
            }
            headers.0.push((name, claim));
        }
        Ok(headers)
    }
}
