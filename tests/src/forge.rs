//! Keys that sign anything with any algorithm: tokens that no honest issuer makes.

mod spoil;

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaSignatureEncoding};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use token::{NewKey, PrivateKey};

pub use spoil::{spoil_bytes, spoil_text};

/// The keys of a test, by name.
#[derive(Debug)]
pub struct Keys(BTreeMap<&'static str, ForgeKey>);

/// A private key, as it is and as it signs.
#[derive(Debug)]
pub struct ForgeKey {
    key: PrivateKey,
    pkcs8: Vec<u8>,
}

impl Keys {
    /// New keys of every kind. Nobody is configured to trust the strangers.
    pub fn new() -> Keys {
        let kinds = [
            ("rsa", NewKey::Rsa2048),
            ("p256", NewKey::P256),
            ("p384", NewKey::P384),
            ("p521", NewKey::P521),
            ("ed25519", NewKey::Ed25519),
            ("second", NewKey::Ed25519),
            ("retired", NewKey::Ed25519),
            ("stranger", NewKey::Ed25519),
            ("stranger-p256", NewKey::P256),
            ("stranger-rsa", NewKey::Rsa2048),
        ];
        Keys(kinds.map(|(name, kind)| (name, ForgeKey::new(kind))).into())
    }

    /// The key of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, name: &str) -> &ForgeKey {
        self.0.get(name).unwrap_or_else(|| panic!("there is no key {name:?}"))
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl ForgeKey {
    fn new(kind: NewKey) -> ForgeKey {
        let key = PrivateKey::generate(kind).expect("a key can be made");
        let pem = key.to_pem().expect("a key that was made can be written");
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        ForgeKey { key, pkcs8: STANDARD.decode(base64).expect("PEM is base64") }
    }

    /// The public half as SPKI in PEM.
    pub fn public_pem(&self) -> String {
        self.key.public_pem()
    }

    /// The public half as a JWK.
    pub fn jwk(&self, kid: Option<&str>) -> String {
        self.key.public().to_jwk(kid).to_string()
    }

    /// Signs with an algorithm of RFC 7518 §3.1 or RFC 8037 §3.1 that the kind of key can do, with `ES256-DER`
    /// (the signature as an ASN.1 sequence), with `none`, or with `HS256`, whose secret is the public key's PEM.
    ///
    /// # Panics
    /// When the key cannot.
    pub fn sign(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        match algorithm {
            "RS256" => self.rsa(&signature::RSA_PKCS1_SHA256, input),
            "RS384" => self.rsa(&signature::RSA_PKCS1_SHA384, input),
            "RS512" => self.rsa(&signature::RSA_PKCS1_SHA512, input),
            "PS256" => self.rsa(&signature::RSA_PSS_SHA256, input),
            "PS384" => self.rsa(&signature::RSA_PSS_SHA384, input),
            "PS512" => self.rsa(&signature::RSA_PSS_SHA512, input),
            "ES256" => self.ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, input),
            "ES256-DER" => self.ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, input),
            "ES384" => self.ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, input),
            "ES512" => self.ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, input),
            "EdDSA" => {
                let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("an Ed25519 key");
                pair.sign(input).as_ref().to_vec()
            }
            "HS256" => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, self.public_pem().as_bytes());
                hmac::sign(&secret, input).as_ref().to_vec()
            }
            "none" => Vec::new(),
            other => panic!("nobody signs with {other:?}"),
        }
    }

    fn rsa(&self, algorithm: &'static RsaSignatureEncoding, input: &[u8]) -> Vec<u8> {
        let pair = KeyPair::from_pkcs8(&self.pkcs8).expect("an RSA key");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(algorithm, &SystemRandom::new(), input, &mut signature).expect("RSA signs");
        signature
    }

    fn ecdsa(&self, algorithm: &'static EcdsaSigningAlgorithm, input: &[u8]) -> Vec<u8> {
        let pair = EcdsaKeyPair::from_private_key_der(algorithm, &self.pkcs8).expect("a key of this curve");
        let signature = pair.sign(&SystemRandom::new(), input).expect("ECDSA signs");
        signature.as_ref().to_vec()
    }
}

/// Base64url without padding, RFC 7515 §2.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
