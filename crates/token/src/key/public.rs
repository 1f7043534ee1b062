//! Public keys: loaded once, in the form in which they verify.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, VerificationAlgorithm};
use der::asn1::ObjectIdentifier;

use super::curve::Curve;
use super::der::{AlgorithmId, RsaNumbers, Shape, Spki, rsa_public, shape};
use super::{KeyError, pem, rsa};
use crate::Algorithm;

/// rsaEncryption, RFC 3279 §2.3.1
pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey, RFC 5480 §2.1.1
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519, RFC 8410 §3
pub(crate) const ED25519_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The first byte of an uncompressed point, SEC 1 §2.3.3
pub(super) const UNCOMPRESSED: u8 = 4;
/// RFC 8032 §5.1.5, in bytes
pub(super) const ED25519_LENGTH: usize = 32;

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, with the length of its modulus in bits
    Rsa(usize),
    /// NIST P-256
    P256,
    /// NIST P-384
    P384,
    /// NIST P-521
    P521,
    /// Ed25519
    Ed25519,
}

/// A public key that verifies signatures. It allows the algorithms that its kind implies and no
/// other, whatever a token says (RFC 8725 §3.1).
#[derive(Clone)]
pub struct PublicKey {
    kind: KeyKind,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
    spki: Vec<u8>,
    fingerprint: String,
    not_before: Option<SystemTime>,
    not_after: Option<SystemTime>,
}

impl PublicKey {
    /// Loads the key in the only PEM block of `text`: an SPKI, a PKCS#1 RSA key, or an X.509
    /// certificate, whose validity becomes the key's and whose signature is not checked.
    ///
    /// # Errors
    /// [`KeyError`]; its text tells the fix.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_der(&pem::one_block(text)?)
    }

    pub(crate) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match shape(der) {
            Shape::Spki(spki) => PublicKey::from_spki(&spki),
            Shape::RsaPublic(numbers) => PublicKey::from_rsa(&numbers),
            Shape::Certificate(certificate) => Ok(PublicKey {
                not_before: Some(certificate.not_before),
                not_after: Some(certificate.not_after),
                ..PublicKey::from_spki(&certificate.spki)?
            }),
            Shape::Pkcs8 { .. } | Shape::Sec1 { .. } | Shape::RsaPrivate(_) | Shape::Encrypted => {
                Err(KeyError::Private)
            }
            Shape::Parameters => Err(KeyError::NotAKey),
            Shape::Unknown if der.starts_with(pem::OPENSSH_MAGIC) => Err(KeyError::OpenSshPrivate),
            Shape::Unknown => Err(KeyError::NotAKey),
        }
    }

    fn from_spki(spki: &Spki<'_>) -> Result<Self, KeyError> {
        match spki.algorithm.oid {
            RSA => PublicKey::from_rsa(&rsa_public(spki.key).ok_or(KeyError::NotAKey)?),
            EC => PublicKey::from_point(spki.algorithm.curve()?, spki.key),
            ED25519_ID => PublicKey::from_ed25519(spki.key),
            other => Err(KeyError::Kind(other.to_string())),
        }
    }

    pub(super) fn from_rsa(numbers: &RsaNumbers<'_>) -> Result<Self, KeyError> {
        PublicKey::new(KeyKind::Rsa(rsa::bits(numbers.modulus)), rsa::verifiers(numbers)?)
    }

    /// That the point lies on the curve is aws-lc's to check.
    pub(super) fn from_point(curve: &'static Curve, point: &[u8]) -> Result<Self, KeyError> {
        match point.first() {
            Some(&UNCOMPRESSED) => {
                PublicKey::from_one(curve.kind, curve.algorithm, curve.verification, point)
            }
            _ => Err(KeyError::CompressedPoint),
        }
    }

    pub(super) fn from_ed25519(key: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_one(KeyKind::Ed25519, Algorithm::EdDsa, &ED25519, key)
    }

    fn from_one(
        kind: KeyKind,
        algorithm: Algorithm,
        verification: &'static dyn VerificationAlgorithm,
        key: &[u8],
    ) -> Result<Self, KeyError> {
        let verifier = ParsedPublicKey::new(verification, key).map_err(|_| KeyError::Damaged)?;
        PublicKey::new(kind, vec![(algorithm, verifier)])
    }

    /// The SPKI is written anew, so that a key has one fingerprint in whatever form it came.
    fn new(kind: KeyKind, verifiers: Vec<(Algorithm, ParsedPublicKey)>) -> Result<Self, KeyError> {
        let (_, verifier) = verifiers.first().ok_or(KeyError::Damaged)?;
        let spki: PublicKeyX509Der<'_> = verifier.as_der().map_err(|_| KeyError::Damaged)?;
        let spki = spki.as_ref().to_vec();
        let hash = digest::digest(&digest::SHA256, &spki);
        let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(PublicKey { kind, verifiers, spki, fingerprint, not_before: None, not_after: None })
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER, in 64 lower-case hex digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The algorithms that its kind allows.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The start of the certificate's validity, if it came in one.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// The end of the certificate's validity, inclusive, if it came in one.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.not_after
    }

    /// The key as SPKI in PEM, label `PUBLIC KEY` (RFC 7468 §13).
    pub fn to_pem(&self) -> String {
        pem::block("PUBLIC KEY", &self.spki)
    }

    /// A signature of the wrong length costs no arithmetic.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.kind.signature_bytes()
            && self
                .verifiers
                .iter()
                .filter(|(own, _)| *own == algorithm)
                .any(|(_, verifier)| verifier.verify_sig(message, signature).is_ok())
    }
}

impl AlgorithmId<'_> {
    pub(crate) fn curve(&self) -> Result<&'static Curve, KeyError> {
        Curve::by_oid(self.parameters.and_then(|parameters| parameters.decode_as().ok()))
    }
}

impl KeyKind {
    /// RSA: the modulus (RFC 8017 §8). ECDSA: r and s, each as long as the order (RFC 7518 §3.4; of
    /// P-521 that is ⌈521 / 8⌉ = 66). Ed25519: RFC 8032 §5.1.6.
    pub(super) fn signature_bytes(self) -> usize {
        match self {
            KeyKind::Rsa(bits) => bits.div_ceil(8),
            KeyKind::P256 => 2 * 32,
            KeyKind::P384 => 2 * 48,
            KeyKind::P521 => 2 * 66,
            KeyKind::Ed25519 => 64,
        }
    }
}

/// For people: `RSA 3072`, `P-256`, `Ed25519`.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Rsa(bits) => write!(f, "RSA {bits}"),
            KeyKind::P256 => f.write_str("P-256"),
            KeyKind::P384 => f.write_str("P-384"),
            KeyKind::P521 => f.write_str("P-521"),
            KeyKind::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.kind, self.fingerprint)
    }
}
