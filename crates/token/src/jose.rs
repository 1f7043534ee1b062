//! The JOSE header, RFC 7515 §4: `{"alg":"ES256","kid":"2026-a","typ":"JWT"}`.
//!
//! Parameters that point to a key or carry one (`jku`, `jwk`, `x5u`, `x5c`) are ignored and never
//! followed: whom we trust is for our configuration to say. Other unknown ones are ignored too, as
//! the RFC wants it, unless they change what the token means.

use serde_json::{Map, Value};

use crate::{Algorithm, Refused, json};

const MAX_DEPTH: usize = 16;

/// What a JOSE header says that concerns us.
#[derive(Debug)]
pub(crate) struct Jose {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
}

impl Jose {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let header = json::object(bytes, MAX_DEPTH)?;
        refuse_other_meanings(&header)?;
        check_type(text(&header, "typ")?)?;
        check_content_type(text(&header, "cty")?)?;
        let algorithm = text(&header, "alg")?.ok_or(Refused::HeaderType("alg"))?;
        let algorithm = algorithm.parse().map_err(|_| Refused::Algorithm)?;
        Ok(Jose { algorithm, kid: text(&header, "kid")?.map(str::to_owned) })
    }
}

fn refuse_other_meanings(header: &Map<String, Value>) -> Result<(), Refused> {
    let meanings = [
        ("crit", Refused::Critical),
        ("b64", Refused::UnencodedPayload),
        ("zip", Refused::Compressed),
        ("enc", Refused::Encrypted),
    ];
    match meanings.into_iter().find(|(name, _)| header.contains_key(*name)) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}

/// `at+jwt` is an OAuth access token (RFC 9068 §2.1). Any other type is a token that was made for
/// something else and must not be confused with ours (RFC 8725 §3.11).
fn check_type(typ: Option<&str>) -> Result<(), Refused> {
    match typ.map(media_type).as_deref() {
        None | Some("jwt" | "at+jwt") => Ok(()),
        Some(_) => Err(Refused::Type),
    }
}

fn check_content_type(cty: Option<&str>) -> Result<(), Refused> {
    match cty.map(media_type) {
        Some(cty) if cty == "jwt" || cty.ends_with("+jwt") => Err(Refused::Nested),
        _ => Ok(()),
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out, and media types have no case.
fn media_type(value: &str) -> String {
    let value = value.to_ascii_lowercase();
    value.strip_prefix("application/").unwrap_or(&value).to_owned()
}

fn text<'a>(header: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Refused> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(Refused::HeaderType(name)),
    }
}
