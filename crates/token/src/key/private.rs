//! Private keys: they sign, and in dev mode and tools they are made.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Serialize;
use serde_json::{Value, json};

use super::curve::{Curve, P256, P384, P521};
use super::der::{AlgorithmId, Shape, shape};
use super::public::{EC, ED25519_ID, RSA};
use super::{KeyError, PublicKey, SignError, pem, rsa};
use crate::{Algorithm, compact};

/// A private key. It signs with one algorithm: RS256, ES256, ES384, ES512 or EdDSA.
pub struct PrivateKey {
    signer: Signer,
    public: PublicKey,
    algorithm: Algorithm,
}

enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Which key to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKey {
    /// RSA with 2048 bits
    Rsa2048,
    /// RSA with 3072 bits
    Rsa3072,
    /// RSA with 4096 bits
    Rsa4096,
    /// NIST P-256
    P256,
    /// NIST P-384
    P384,
    /// NIST P-521
    P521,
    /// Ed25519
    Ed25519,
}

impl PrivateKey {
    /// Loads the key in the only PEM block of `text`: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), without a
    /// passphrase. What [`PublicKey::from_pem`] would refuse as weak is refused here as well.
    ///
    /// # Errors
    /// [`KeyError`]; its text tells the fix.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        PrivateKey::from_der(&pem::one_block(text)?)
    }

    /// Makes a new key; RSA takes up to seconds.
    ///
    /// # Errors
    /// [`KeyError::Generate`] if the system has no randomness to give.
    pub fn generate(kind: NewKey) -> Result<Self, KeyError> {
        PrivateKey::new(Signer::generate(kind).map_err(|_| KeyError::Generate)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match shape(der) {
            Shape::RsaPrivate(_) => PrivateKey::from_pkcs1(der),
            Shape::Sec1 { curve } => PrivateKey::from_ec(Curve::by_oid(curve)?, der),
            Shape::Pkcs8 { algorithm, key } => PrivateKey::from_pkcs8(&algorithm, key, der),
            Shape::Encrypted => Err(KeyError::Encrypted),
            Shape::Spki(_) | Shape::RsaPublic(_) | Shape::Certificate(_) => Err(KeyError::Public),
            Shape::Unknown if der.starts_with(pem::OPENSSH_MAGIC) => Err(KeyError::OpenSshPrivate),
            Shape::Unknown | Shape::Parameters => Err(KeyError::NotAKey),
        }
    }

    fn from_pkcs8(algorithm: &AlgorithmId<'_>, key: &[u8], der: &[u8]) -> Result<Self, KeyError> {
        match algorithm.oid {
            RSA => PrivateKey::from_pkcs1(key),
            EC => PrivateKey::from_ec(algorithm.curve()?, der),
            ED25519_ID => PrivateKey::new(Signer::Ed25519(
                Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError::Damaged)?,
            )),
            other => Err(KeyError::Kind(other.to_string())),
        }
    }

    /// Weakness is looked for first: aws-lc would only say that it does not like the key.
    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let Shape::RsaPrivate(numbers) = shape(der) else { return Err(KeyError::NotAKey) };
        rsa::check(&numbers)?;
        PrivateKey::new(Signer::Rsa(RsaKeyPair::from_der(der).map_err(|_| KeyError::Damaged)?))
    }

    fn from_ec(curve: &Curve, der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_private_key_der(curve.signing, der);
        PrivateKey::new(Signer::Ec(pair.map_err(|_| KeyError::Damaged)?))
    }

    fn new(signer: Signer) -> Result<Self, KeyError> {
        let public = PublicKey::from_der(&signer.public_der()?)?;
        let algorithm = public.algorithms().next().ok_or(KeyError::Damaged)?; // of RSA's six: RS256
        Ok(PrivateKey { signer, public, algorithm })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public half as SPKI in PEM.
    pub fn public_pem(&self) -> String {
        self.public.to_pem()
    }

    /// The key as PKCS#8 (version 1, which every tool reads) in PEM, without a passphrase.
    ///
    /// # Errors
    /// [`KeyError::Generate`] if aws-lc cannot write it.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = self.signer.pkcs8().map_err(|_| KeyError::Generate)?;
        Ok(pem::block("PRIVATE KEY", &der))
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs `claims`, which must serialise to a JSON object, and gives the token in compact form
    /// (RFC 7515 §7.1). The JOSE header is `typ` JWT, `alg`, and `kid` if given.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, kid: Option<&str>, claims: &impl Serialize) -> Result<String, SignError> {
        let claims = serde_json::to_value(claims).map_err(SignError::Claims)?;
        if !claims.is_object() {
            return Err(SignError::NotObject);
        }
        let mut header = json!({"typ": "JWT", "alg": self.algorithm.name()});
        if let Some(kid) = kid {
            header["kid"] = Value::from(kid);
        }
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.signer.sign(input.as_bytes()).map_err(|_| SignError::Key)?;
        Ok(format!("{input}.{}", compact::encode(&signature)))
    }
}

fn encode(value: &Value) -> String {
    compact::encode(value.to_string().as_bytes())
}

/// Leaves everything secret out.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.public)
    }
}

/// aws-lc-rs says no more than that it failed.
type Failed = aws_lc_rs::error::Unspecified;

impl Signer {
    fn generate(kind: NewKey) -> Result<Self, Failed> {
        Ok(match kind {
            NewKey::Rsa2048 => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
            NewKey::Rsa3072 => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa3072)?),
            NewKey::Rsa4096 => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa4096)?),
            NewKey::P256 => Signer::Ec(EcdsaKeyPair::generate(P256.signing)?),
            NewKey::P384 => Signer::Ec(EcdsaKeyPair::generate(P384.signing)?),
            NewKey::P521 => Signer::Ec(EcdsaKeyPair::generate(P521.signing)?),
            NewKey::Ed25519 => Signer::Ed25519(Ed25519KeyPair::generate()?),
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failed> {
        let random = SystemRandom::new();
        match self {
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Signer::Ec(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Signer::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
        }
    }

    fn pkcs8(&self) -> Result<Vec<u8>, Failed> {
        Ok(match self {
            Signer::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref().to_vec(),
            Signer::Ec(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Signer::Ed25519(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
        })
    }

    fn public_der(&self) -> Result<Vec<u8>, KeyError> {
        let der = match self {
            Signer::Rsa(pair) => pair.public_key().as_der(),
            Signer::Ec(pair) => pair.public_key().as_der(),
            Signer::Ed25519(pair) => pair.public_key().as_der(),
        };
        Ok(der.map_err(|_| KeyError::Damaged)?.as_ref().to_vec())
    }
}
