//! RSA: which keys are strong enough, and what they verify.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
};

use super::KeyError;
use super::der::RsaNumbers;
use crate::Algorithm;

const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const MIN_EXPONENT: u64 = 65537;

static VERIFICATION: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::Rs384, &RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::Rs512, &RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256),
    (Algorithm::Ps384, &RSA_PSS_2048_8192_SHA384),
    (Algorithm::Ps512, &RSA_PSS_2048_8192_SHA512),
];

/// One verification key for each RSA algorithm.
pub(crate) fn verifiers(numbers: &RsaNumbers<'_>) -> Result<Vec<(Algorithm, ParsedPublicKey)>, KeyError> {
    check(numbers)?;
    let components = PublicKeyComponents { n: numbers.modulus, e: numbers.exponent };
    let parse = |&(algorithm, parameters): &(Algorithm, &'static RsaParameters)| {
        Ok((algorithm, components.to_parsed_public_key(parameters).map_err(|_| KeyError::Damaged)?))
    };
    VERIFICATION.iter().map(parse).collect()
}

/// 2048 to 8192 bits (RFC 7518 §3.3 has the lower bound), exponent odd and ≥ 65537.
pub(crate) fn check(numbers: &RsaNumbers<'_>) -> Result<(), KeyError> {
    let bits = bits(numbers.modulus);
    if !BITS.contains(&bits) {
        return Err(KeyError::RsaBits(bits));
    }
    match exponent(numbers.exponent) {
        Some(exponent) if exponent >= MIN_EXPONENT && exponent % 2 == 1 => Ok(()),
        _ => Err(KeyError::RsaExponent),
    }
}

/// The length of a big-endian number without leading zeros.
pub(crate) fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - leading
}

/// None above 64 bits: no such exponent is in use, and each bit costs time at every verification.
fn exponent(number: &[u8]) -> Option<u64> {
    (number.len() <= 8).then(|| number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}
