//! Who a token speaks for, as it is kept in the cache.

use std::sync::Arc;

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use token::Verified;

use crate::Service;

/// `sub`, on every 200.
const USER: HeaderName = HeaderName::from_static("x-deteco-user");

/// The longest claim that becomes a header, in bytes.
const MAX_VALUE: usize = 256;

/// A token that verified: who its bearer is. What the bearer may see is decided each time.
#[derive(Debug)]
pub struct Identity {
    /// The times and the key; the claims are taken out
    pub verified: Verified,
    /// The service that `sub` names
    pub service: Arc<Service>,
    /// `jti`, RFC 7519 §4.1.7
    pub jti: Option<String>,
    /// SHA-256 of the signing input, for the deny list: other bits in the signature do not make another token
    pub signing_hash: [u8; 32],
    /// `X-Deteco-User`, then the claims that the service maps to headers, ready to be sent
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Those that are not sent since the claim is missing, no string, or not of visible ASCII
    pub left_out: Vec<HeaderName>,
}

impl Identity {
    pub(crate) fn new(mut verified: Verified, service: Arc<Service>, token: &str) -> Self {
        let claims = std::mem::take(&mut verified.claims); // a cache of them would cost kilobytes each
        let mut headers = Vec::with_capacity(1 + service.headers.len());
        let mut left_out = Vec::new();
        headers.extend(header_value(&service.id).map(|value| (USER, value)));
        for (name, claim) in &service.headers {
            match claims.get(claim).and_then(Value::as_str).and_then(header_value) {
                Some(value) => headers.push((name.clone(), value)),
                None => left_out.push(name.clone()),
            }
        }
        let signing_hash = sha256(token.rsplit_once('.').map_or(token, |(input, _)| input));
        Identity { verified, service, jti: jti(&claims), signing_hash, headers, left_out }
    }
}

/// One that is no string is taken as it is written, so that it can still be denied.
fn jti(claims: &Map<String, Value>) -> Option<String> {
    claims.get("jti").map(|jti| jti.as_str().map_or_else(|| jti.to_string(), str::to_owned))
}

/// Visible ASCII with spaces inside: nothing that a log, a proxy or an application might read as two values
/// or cut differently.
fn header_value(text: &str) -> Option<HeaderValue> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let is_bounded = !text.is_empty() && text.len() <= MAX_VALUE && text == text.trim_matches(' ');
    if is_visible && is_bounded { HeaderValue::from_str(text).ok() } else { None }
}

pub(crate) fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_becomes_a_header() {
        let long = "a".repeat(MAX_VALUE);
        let too_long = "a".repeat(MAX_VALUE + 1);
        let rows = [
            ("alice@example.com", true),
            ("Alice Smith", true),
            (long.as_str(), true),
            ("", false),
            (" a", false),
            ("a ", false),
            ("a\r\nX-Admin: 1", false),
            ("a\tb", false),
            ("a\u{7f}", false),
            ("ä", false),
            (too_long.as_str(), false),
        ];
        for (text, expected) in rows {
            assert_eq!(header_value(text).is_some(), expected, "{text:?}");
        }
    }
}
