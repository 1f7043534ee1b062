//! The signature algorithms that a token may name.

use std::fmt;
use std::str::FromStr;

/// A signature algorithm, RFC 7518 §3.1 and RFC 8037 §3.1. The HMAC ones and `none` are missing on
/// purpose: a public key must never be taken for a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512
    Rs512,
    /// RSASSA-PSS with SHA-256 and a salt as long as the hash
    Ps256,
    /// RSASSA-PSS with SHA-384 and a salt as long as the hash
    Ps384,
    /// RSASSA-PSS with SHA-512 and a salt as long as the hash
    Ps512,
    /// ECDSA on P-256 with SHA-256
    Es256,
    /// ECDSA on P-384 with SHA-384
    Es384,
    /// ECDSA on P-521 with SHA-512
    Es512,
    /// Ed25519
    EdDsa,
}

use Algorithm::*;

const NAMES: [(Algorithm, &str); 10] = [
    (Rs256, "RS256"),
    (Rs384, "RS384"),
    (Rs512, "RS512"),
    (Ps256, "PS256"),
    (Ps384, "PS384"),
    (Ps512, "PS512"),
    (Es256, "ES256"),
    (Es384, "ES384"),
    (Es512, "ES512"),
    (EdDsa, "EdDSA"),
];

impl Algorithm {
    /// All of them, in the order of RFC 7518.
    pub fn all() -> impl Iterator<Item = Algorithm> {
        NAMES.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The name in the `alg` header parameter, such as `RS256`.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is none of ours; names are compared in exact case (RFC 7515 §4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm; one of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(algorithm, _)| *algorithm).ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for algorithm in Algorithm::all() {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "none", "None", "HS256", "rs256", "ES256K", "RS256 ", "EDDSA", "ES256\0"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }
}
