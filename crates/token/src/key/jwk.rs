//! One JSON Web Key, RFC 7517 §4, of a kind that verifies signatures (RFC 7518 §6, RFC 8037 §2):
//!
//! ```text
//! {"kty":"RSA","n":"…","e":"AQAB"}
//! {"kty":"EC","crv":"P-256","x":"…","y":"…"}
//! {"kty":"OKP","crv":"Ed25519","x":"…"}
//! ```
//!
//! with `kid`, `alg`, `use` and `key_ops` beside it. Certificates in it (`x5c`, `x5u`, `x5t`) are
//! ignored and never fetched: the numbers are the key.

use serde_json::{Map, Value, json};

use super::curve::{Curve, P256, P384, P521};
use super::der::{RsaNumbers, Shape, rsa_public, shape};
use super::public::{ED25519_LENGTH, UNCOMPRESSED};
use super::{KeyError, KeyKind, PublicKey};
use crate::{Algorithm, Key, compact};

/// RFC 7518 §6.2.2, §6.3.2 and §6.4.1: what only the key's owner may have
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// No token's JOSE header has room for a `kid` much longer than this, in bytes
const MAX_KID: usize = 256;
/// How much of an unknown value an error repeats, in characters
const MAX_SHOWN: usize = 40;

/// A JSON Web Key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Another JSON type than an object
    #[error("it is not a JSON object")]
    NotObject,
    /// A member is missing, or is of another JSON type than RFC 7517 gives it
    #[error("the member `{0}` is missing or of the wrong type")]
    Member(&'static str),
    /// A member has a value that is unknown, or one that does not fit the others
    #[error("the member `{name}` is {value:?}, which cannot be used here")]
    Unsupported {
        /// Name of the member
        name: &'static str,
        /// The first 40 characters of its value, not escaped
        value: String,
    },
    /// `kid` longer than 256 bytes
    #[error("the member `kid` is longer than 256 bytes")]
    KidTooLong,
    /// Padding, loose bits or letters outside of the alphabet
    #[error("the member `{0}` is not canonical base64url")]
    Base64(&'static str),
    /// A coordinate shorter or longer than the curve wants it (RFC 7518 §6.2.1.2)
    #[error("the member `{0}` has not the length that the curve wants")]
    Length(&'static str),
    /// A member that only a private or a shared key has
    #[error("the member `{0}` belongs to a secret key; publish the public half only, and replace this key")]
    Private(&'static str),
    /// `use` or `key_ops` keep it from verifying signatures (RFC 7517 §4.2, §4.3)
    #[error("its `{0}` does not let it verify signatures")]
    Purpose(&'static str),
    /// The same rules as for a key in a PEM file
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The key in an element of a JWK set, narrowed by its `alg`.
pub(crate) fn key(value: &Value) -> Result<Key, JwkError> {
    let jwk = value.as_object().ok_or(JwkError::NotObject)?;
    if let Some(name) = PRIVATE.into_iter().find(|name| jwk.contains_key(*name)) {
        return Err(JwkError::Private(name));
    }
    check_purpose(jwk)?;
    let mut key = Key { kid: kid(jwk)?, ..Key::from(public(jwk)?) };
    if let Some(only) = optional(jwk, "alg")? {
        key.algorithms.retain(|algorithm| algorithm.name() == only);
        if key.algorithms.is_empty() {
            return Err(unsupported("alg", only));
        }
    }
    Ok(key)
}

fn check_purpose(jwk: &Map<String, Value>) -> Result<(), JwkError> {
    if !matches!(optional(jwk, "use")?, None | Some("sig")) {
        return Err(JwkError::Purpose("use"));
    }
    let operations = match jwk.get("key_ops") {
        None => return Ok(()),
        Some(Value::Array(operations)) => operations,
        Some(_) => return Err(JwkError::Member("key_ops")),
    };
    if !operations.iter().all(Value::is_string) {
        return Err(JwkError::Member("key_ops"));
    }
    if operations.iter().any(|operation| operation == "verify") {
        return Ok(());
    }
    Err(JwkError::Purpose("key_ops"))
}

fn kid(jwk: &Map<String, Value>) -> Result<Option<String>, JwkError> {
    match optional(jwk, "kid")? {
        Some(kid) if kid.len() > MAX_KID => Err(JwkError::KidTooLong),
        kid => Ok(kid.map(str::to_owned)),
    }
}

fn public(jwk: &Map<String, Value>) -> Result<PublicKey, JwkError> {
    match required(jwk, "kty")? {
        "RSA" => rsa(jwk),
        "EC" => match required(jwk, "crv")? {
            "P-256" => point(jwk, &P256),
            "P-384" => point(jwk, &P384),
            "P-521" => point(jwk, &P521),
            other => Err(unsupported("crv", other)),
        },
        "OKP" => match required(jwk, "crv")? {
            "Ed25519" => Ok(PublicKey::from_ed25519(&coordinate(jwk, "x", ED25519_LENGTH)?)?),
            other => Err(unsupported("crv", other)),
        },
        other => Err(unsupported("kty", other)),
    }
}

/// RFC 7518 §6.3.1.1 forbids zeros in front, and warns that some write one: the number is the same.
fn rsa(jwk: &Map<String, Value>) -> Result<PublicKey, JwkError> {
    let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let numbers = RsaNumbers { modulus: number(&modulus), exponent: number(&exponent) };
    Ok(PublicKey::from_rsa(&numbers)?)
}

fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

fn point(jwk: &Map<String, Value>, curve: &'static Curve) -> Result<PublicKey, JwkError> {
    let mut point = vec![UNCOMPRESSED];
    point.extend(coordinate(jwk, "x", curve.coordinate_bytes())?);
    point.extend(coordinate(jwk, "y", curve.coordinate_bytes())?);
    Ok(PublicKey::from_point(curve, &point)?)
}

fn coordinate(jwk: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(JwkError::Length(name)) }
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    compact::decode(required(jwk, name)?).map_err(|_| JwkError::Base64(name))
}

fn required<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    optional(jwk, name)?.ok_or(JwkError::Member(name))
}

fn optional<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JwkError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(JwkError::Member(name)),
    }
}

fn unsupported(name: &'static str, value: &str) -> JwkError {
    JwkError::Unsupported { name, value: value.chars().take(MAX_SHOWN).collect() }
}

impl PublicKey {
    /// The key as a JSON Web Key (RFC 7517 §4): its numbers, `use` `sig`, `kid` if given, and `alg`
    /// where the kind has only one. An RSA key says no `alg`; narrow it by adding one.
    pub fn to_jwk(&self, kid: Option<&str>) -> Value {
        let mut jwk = self.numbers();
        jwk["use"] = "sig".into();
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        let mut algorithms = self.algorithms();
        if let (Some(only), None) = (algorithms.next(), algorithms.next()) {
            jwk["alg"] = Algorithm::name(only).into();
        }
        jwk
    }

    fn numbers(&self) -> Value {
        let Shape::Spki(spki) = shape(self.spki()) else { unreachable!("aws-lc wrote this SPKI") };
        let half = |index: usize| {
            let coordinates = &spki.key[1..];
            compact::encode(&coordinates[index * coordinates.len() / 2..][..coordinates.len() / 2])
        };
        match self.kind() {
            KeyKind::Rsa(_) => {
                let numbers = rsa_public(spki.key).expect("aws-lc wrote this key");
                let [n, e] = [numbers.modulus, numbers.exponent].map(compact::encode);
                json!({"kty": "RSA", "n": n, "e": e})
            }
            KeyKind::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": compact::encode(spki.key)}),
            curve => json!({"kty": "EC", "crv": curve.to_string(), "x": half(0), "y": half(1)}),
        }
    }
}
