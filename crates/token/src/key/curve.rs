//! The curves of RFC 7518 §3.4: one algorithm each, so that a token cannot choose the hash.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};
use der::asn1::ObjectIdentifier;

use super::{KeyError, KeyKind};
use crate::Algorithm;

pub(crate) struct Curve {
    pub(crate) kind: KeyKind,
    pub(crate) oid: ObjectIdentifier,
    pub(crate) algorithm: Algorithm,
    pub(crate) verification: &'static EcdsaVerificationAlgorithm,
    pub(crate) signing: &'static EcdsaSigningAlgorithm,
}

/// secp256r1, RFC 5480 §2.1.1.1
pub(crate) static P256: Curve = Curve {
    kind: KeyKind::P256,
    oid: ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    algorithm: Algorithm::Es256,
    verification: &ECDSA_P256_SHA256_FIXED,
    signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
};

/// secp384r1
pub(crate) static P384: Curve = Curve {
    kind: KeyKind::P384,
    oid: ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    algorithm: Algorithm::Es384,
    verification: &ECDSA_P384_SHA384_FIXED,
    signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
};

/// secp521r1
pub(crate) static P521: Curve = Curve {
    kind: KeyKind::P521,
    oid: ObjectIdentifier::new_unwrap("1.3.132.0.35"),
    algorithm: Algorithm::Es512,
    verification: &ECDSA_P521_SHA512_FIXED,
    signing: &ECDSA_P521_SHA512_FIXED_SIGNING,
};

impl Curve {
    /// The field of each of these curves has as many bytes as its order (RFC 7518 §6.2.1.2).
    pub(crate) fn coordinate_bytes(&self) -> usize {
        self.kind.signature_bytes() / 2
    }

    /// The curve of that object identifier; `None` stands for a curve written out as parameters.
    pub(crate) fn by_oid(oid: Option<ObjectIdentifier>) -> Result<&'static Curve, KeyError> {
        let known = [&P256, &P384, &P521].into_iter().find(|curve| Some(curve.oid) == oid);
        let name = || oid.map_or_else(|| "given by parameters".to_owned(), |oid| oid.to_string());
        known.ok_or_else(|| KeyError::Curve(name()))
    }
}
