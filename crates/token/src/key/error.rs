//! What is wrong with a key, and what to do about it.

/// A key that cannot be used. Each text says how to get one that can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block at all
    #[error("there is no PEM block (`-----BEGIN …`); give the key as a PEM file")]
    NoPem,
    /// DER without PEM around it
    #[error(
        "this is DER, not PEM; convert it: openssl pkey -inform DER -in KEY (with -pubin for a public \
         key; a certificate: openssl x509 -inform DER -in CERT)"
    )]
    BareDer,
    /// An OpenSSH public key
    #[error(
        "this is an OpenSSH public key; convert it: ssh-keygen -e -m PKCS8 -f KEY (Ed25519 it cannot \
         convert; make a new key: openssl genpkey -algorithm ED25519 -out KEY)"
    )]
    OpenSshPublic,
    /// An OpenSSH private key, whichever half was wanted
    #[error(
        "this is an OpenSSH private key; the public key in it: ssh-keygen -e -m PKCS8 -f KEY; to sign, \
         convert a copy: ssh-keygen -p -m PKCS8 -f COPY (Ed25519 it cannot convert; make a new key: \
         openssl genpkey -algorithm ED25519 -out KEY)"
    )]
    OpenSshPrivate,
    /// A PEM block that is cut off or has bad base64
    #[error("a PEM block is damaged: its base64 or its END line; copy the key again")]
    DamagedPem,
    /// More than one PEM block
    #[error("there are {0} PEM blocks; keep one key (of a certificate chain: the first certificate)")]
    ManyBlocks(usize),
    /// A private key where a public one belongs
    #[error("this is a private key; give the public key: openssl pkey -in KEY -pubout")]
    Private,
    /// A public key or a certificate where a private key belongs
    #[error("this is a public key; a private key is needed to sign")]
    Public,
    /// A private key under a passphrase
    #[error("this private key has a passphrase; store it without: openssl pkey -in KEY -out NEWKEY")]
    Encrypted,
    /// An RSA modulus outside of 2048 to 8192 bits
    #[error("this RSA key has {0} bits, 2048 to 8192 are allowed: openssl genrsa -out KEY 3072")]
    RsaBits(usize),
    /// An RSA exponent that is even or below 65537
    #[error(
        "this RSA key's public exponent is even or below 65537; make a new key: \
         openssl genrsa -out KEY 3072"
    )]
    RsaExponent,
    /// Another curve than P-256, P-384, P-521, or a curve given by its parameters
    #[error(
        "this EC key is on another curve than P-256, P-384 or P-521 ({0}); make a new key: \
         openssl ecparam -name prime256v1 -genkey -noout -out KEY"
    )]
    Curve(String),
    /// An EC point that is not in the uncompressed form
    #[error(
        "this EC key's point is compressed; write it out: \
         openssl ec -pubin -in KEY -pubout -conv_form uncompressed"
    )]
    CompressedPoint,
    /// Another kind of key, by its object identifier
    #[error("keys of this kind ({0}) cannot be used; RSA, P-256, P-384, P-521 and Ed25519 can")]
    Kind(String),
    /// DER, but neither a key nor a certificate
    #[error(
        "the PEM block holds neither a key nor a certificate; give RSA, EC or Ed25519 as PKCS#1, PKCS#8, \
         SEC1, SPKI or X.509"
    )]
    NotAKey,
    /// The right form with impossible numbers in it
    #[error("the numbers in this key do not fit together; it is damaged, make a new one")]
    Damaged,
    /// The system gave no randomness, or memory
    #[error("the key could not be generated or written")]
    Generate,
}

/// A token that could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The claims are not a JSON object
    #[error("the claims are not a JSON object")]
    NotObject,
    /// The claims cannot be written as JSON
    #[error("the claims cannot be written as JSON")]
    Claims(#[source] serde_json::Error),
    /// The cryptographic library refused
    #[error("the key could not sign")]
    Key,
}
