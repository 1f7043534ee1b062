//! A JWK set, RFC 7517 §5: `{"keys":[{"kty":"EC","kid":"2026-a",…},…]}`.
//!
//! Like a token it must have one meaning: one object, no name twice at any depth. What is wrong with
//! a single key is judged by where the set came from.

use std::fmt;

use serde_json::Value;

use crate::key::jwk;
use crate::{JwkError, Key, KeySet, KeySetError, MAX_TRIED, Refused, json};

/// The longest JWK set that is looked at, in bytes.
pub const MAX_JWK_SET: usize = 256 * 1024;
/// The most keys that a JWK set may have.
pub const MAX_JWKS: usize = 100;
/// The set, its array, a key, and whatever stands in members that are ignored
const MAX_DEPTH: usize = 16;
/// How much of the `kid` of an unusable key is kept, in characters
const MAX_SHOWN: usize = 256;

/// Where a JWK set came from, and so who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A file of ours: a key that cannot be used is an error
    File,
    /// Published by somebody else: a key that cannot be used is skipped and reported, so that an
    /// issuer may add kinds of keys that we do not know (RFC 7517 §5)
    Fetched,
}

/// The usable keys of a JWK set, each with its `kid` and narrowed by its `alg`.
#[derive(Debug, Clone)]
pub struct JwkSet {
    keys: Vec<Key>,
    skipped: Vec<Skipped>,
}

/// A key of a set that cannot be used. The text names it by index and `kid`, escaped for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the set, from 0
    pub index: usize,
    /// Its `kid`, cut to 256 characters; the issuer's choice, not escaped
    pub kid: Option<String>,
    /// What is wrong with it
    pub reason: JwkError,
}

/// A JWK set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    /// Longer than [`MAX_JWK_SET`]
    #[error("the JWK set is longer than 256 KiB")]
    TooLong,
    /// Not a JSON object that has one meaning
    #[error("this is no JWK set: {0}")]
    Json(&'static str),
    /// `keys` is missing or no array (RFC 7517 §5.1)
    #[error("this is no JWK set: it has no array `keys`")]
    NoArray,
    /// More than [`MAX_JWKS`]
    #[error("the JWK set has {0} keys, at most 100 are allowed")]
    TooMany(usize),
    /// A file without any key
    #[error("the JWK set has no keys; with it every token would be refused")]
    Empty,
    /// A key in a file cannot be used
    #[error("{0}")]
    Key(Skipped),
}

impl JwkSet {
    /// Reads a set of at most [`MAX_JWK_SET`] bytes and [`MAX_JWKS`] keys.
    ///
    /// A *fetched* set may end up without keys: its publisher said so, and going on with keys that
    /// were withdrawn would be worse than refusing every token.
    ///
    /// # Errors
    /// [`JwkSetError`]; of keys that cannot be used only with [`Origin::File`].
    pub fn parse(bytes: &[u8], origin: Origin) -> Result<Self, JwkSetError> {
        if bytes.len() > MAX_JWK_SET {
            return Err(JwkSetError::TooLong);
        }
        let set = json::object(bytes, MAX_DEPTH).map_err(|reason| JwkSetError::Json(text(reason)))?;
        let Some(Value::Array(elements)) = set.get("keys") else { return Err(JwkSetError::NoArray) };
        if elements.len() > MAX_JWKS {
            return Err(JwkSetError::TooMany(elements.len()));
        }
        let set = JwkSet::of(elements);
        match (origin, set.skipped.first()) {
            (Origin::File, Some(first)) => Err(JwkSetError::Key(first.clone())),
            (Origin::File, None) if set.keys.is_empty() => Err(JwkSetError::Empty),
            _ => Ok(set),
        }
    }

    fn of(elements: &[Value]) -> Self {
        let mut set = JwkSet { keys: Vec::new(), skipped: Vec::new() };
        for (index, element) in elements.iter().enumerate() {
            match jwk::key(element) {
                Ok(key) => set.keys.push(key),
                Err(reason) => set.skipped.push(Skipped { index, kid: shown_kid(element), reason }),
            }
        }
        set
    }

    /// The usable keys, in the order of the set.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that cannot be used; none in a set from a file.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The keys as a [`KeySet`] in which no `kid` has more than [`MAX_TRIED`] keys for an algorithm:
    /// [`KeySet::published`].
    ///
    /// # Errors
    /// [`KeySetError`] if one has more.
    pub fn into_key_set(self) -> Result<KeySet, KeySetError> {
        KeySet::published(self.keys, MAX_TRIED)
    }
}

fn shown_kid(element: &Value) -> Option<String> {
    let kid = element.get("kid")?.as_str()?;
    Some(kid.chars().take(MAX_SHOWN).collect())
}

/// `json` speaks of tokens.
fn text(reason: Refused) -> &'static str {
    match reason {
        Refused::Utf8 => "it is not UTF-8",
        Refused::NotObject => "it is not a JSON object",
        Refused::DuplicateName => "an object in it has the same name twice",
        Refused::TooDeep => "it is nested too deeply",
        _ => "it is not JSON",
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {} (kid {kid:?}): {}", self.index, self.reason),
            None => write!(f, "key {} (without kid): {}", self.index, self.reason),
        }
    }
}
