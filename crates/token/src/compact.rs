//! The compact form of a signed token, RFC 7515 §3.1:
//!
//! ```text
//! BASE64URL(UTF8(JOSE header)) . BASE64URL(payload) . BASE64URL(signature)
//! └─────────────── the signing input, ASCII ──────┘
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Refused;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

const MAX_HEADER: usize = 1024;

/// A token taken apart; nothing in it is to be trusted.
pub(crate) struct Compact<'a> {
    pub(crate) signing_input: &'a str,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::TooLong);
        }
        if !in_alphabet(token) {
            return Err(Refused::Alphabet);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Refused::Segments)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Refused::Segments)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(Refused::Segments);
        }
        let header = decode(header)?;
        if header.len() > MAX_HEADER {
            return Err(Refused::HeaderTooLong);
        }
        Ok(Compact { signing_input, header, payload: decode(payload)?, signature: decode(signature)? })
    }
}

pub(crate) fn in_alphabet(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The engine refuses padding and bits that are left over, so that one value has one spelling.
pub(crate) fn decode(segment: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refused::Base64)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
