//! jsonwebtoken's opinion of a token, asked for as strictly as it can be.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use token::{Policy, PrivateKey};

use crate::forge::der;

pub(crate) fn takes(token: &str, key: &PrivateKey, policy: &Policy) -> bool {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.algorithms = algorithms(key);
    validation.leeway = policy.leeway.as_secs();
    validation.validate_nbf = true;
    validation.validate_aud = !policy.audience.is_empty();
    validation.set_required_spec_claims(&["exp", "sub"]);
    if !policy.audience.is_empty() {
        validation.required_spec_claims.insert("aud".to_owned());
        validation.set_audience(&policy.audience);
    }
    if !policy.issuer.is_empty() {
        validation.required_spec_claims.insert("iss".to_owned());
        validation.set_issuer(&policy.issuer);
    }
    decode::<serde_json::Value>(token, &decoding(key), &validation).is_ok()
}

/// jsonwebtoken wants RSA as PKCS#1, a curve's point, or Ed25519's 32 bytes: each is the end of the
/// SubjectPublicKeyInfo.
fn decoding(key: &PrivateKey) -> DecodingKey {
    let spki = der(&key.public_pem());
    let last = |count: usize| &spki[spki.len() - count..];
    match key.algorithm() {
        token::Algorithm::Rs256 => DecodingKey::from_rsa_der(&spki[24..]),
        token::Algorithm::Es256 => DecodingKey::from_ec_der(last(65)),
        token::Algorithm::Es384 => DecodingKey::from_ec_der(last(97)),
        _ => DecodingKey::from_ed_der(last(32)),
    }
}

fn algorithms(key: &PrivateKey) -> Vec<Algorithm> {
    use Algorithm::*;
    match key.algorithm() {
        token::Algorithm::Rs256 => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        token::Algorithm::Es256 => vec![ES256],
        token::Algorithm::Es384 => vec![ES384],
        _ => vec![EdDSA],
    }
}
