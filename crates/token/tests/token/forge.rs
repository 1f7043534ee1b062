//! Makes tokens that no honest issuer would: any header, any payload, rightly signed.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use token::{Key, KeySet, NewKey, Policy, PrivateKey, verify};

pub(crate) const ED_HEADER: &str = r#"{"typ":"JWT","alg":"EdDSA"}"#;
pub(crate) const CLAIMS: &str = r#"{"sub":"alice","iat":<0>,"exp":<300>}"#;

pub(crate) static RSA: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(NewKey::Rsa2048).unwrap());
pub(crate) static P256: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::P256).unwrap());
pub(crate) static P384: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::P384).unwrap());
pub(crate) static P521: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::P521).unwrap());
pub(crate) static ED: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(NewKey::Ed25519).unwrap());

/// The real time, in whole seconds: jsonwebtoken looks at the clock itself.
pub(crate) static NOW: LazyLock<SystemTime> = LazyLock::new(|| {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
});

/// `text` with every `<-40>` replaced by the number of seconds 40 before now.
pub(crate) fn at(text: &str) -> String {
    let now = NOW.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut parts = text.split('<');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (offset, rest) = part.split_once('>').unwrap();
        out.push_str(&(now + offset.parse::<i64>().unwrap()).to_string());
        out.push_str(rest);
    }
    out
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A token of exactly this header and payload, signed by [`ED`].
pub(crate) fn seal(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    seal_segments(&b64(header), &b64(payload))
}

/// The same of segments that are already encoded, or pretend to be.
pub(crate) fn seal_segments(header: &str, payload: &str) -> String {
    seal_with(&ED, Algorithm::EdDSA, &format!("{header}.{payload}"))
}

pub(crate) fn seal_with(key: &PrivateKey, algorithm: Algorithm, input: &str) -> String {
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &encoding(key), algorithm).unwrap();
    format!("{input}.{signature}")
}

/// For jsonwebtoken. Of RSA it wants PKCS#1, which in PKCS#8 of these sizes begins at byte 26.
pub(crate) fn encoding(key: &PrivateKey) -> EncodingKey {
    let der = der(&key.to_pem().unwrap());
    match key.algorithm() {
        token::Algorithm::Rs256 => EncodingKey::from_rsa_der(&der[26..]),
        token::Algorithm::EdDsa => EncodingKey::from_ed_der(&der),
        _ => EncodingKey::from_ec_der(&der),
    }
}

pub(crate) fn der(pem: &str) -> Vec<u8> {
    pem::parse(pem).unwrap().into_contents()
}

pub(crate) fn set(keys: &[&PrivateKey]) -> KeySet {
    KeySet::new(keys.iter().map(|key| Key::from(key.public().clone())).collect()).unwrap()
}

/// `ok`, or the code of the refusal.
pub(crate) fn code(token: &str, keys: &KeySet, policy: &Policy) -> &'static str {
    verify(token, keys, policy, *NOW).map_or_else(|refused| refused.code(), |_| "ok")
}

/// What the program says about a token of [`ED`], and whether jsonwebtoken takes it.
pub(crate) fn both(token: &str, policy: &Policy) -> (&'static str, bool) {
    (code(token, &set(&[&ED]), policy), crate::oracle::takes(token, &ED, policy))
}

/// What jsonwebtoken must say in a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oracle {
    /// It decides as we do
    Agrees,
    /// It takes what we refuse
    Lax,
}

pub(crate) use Oracle::{Agrees, Lax};

/// Judges every row `(name, token, our code, what jsonwebtoken says)` and reports all that differ.
pub(crate) fn judge(policy: &Policy, rows: impl IntoIterator<Item = (String, String, &'static str, Oracle)>) {
    let mut wrong = Vec::new();
    for (name, token, expected, oracle) in rows {
        let (got, taken) = both(&token, policy);
        let agrees = if taken == (got == "ok") { Agrees } else { Lax };
        if got != expected || agrees != oracle || (got == "ok" && !taken) {
            wrong.push(format!("{name}: {got}, oracle takes it: {taken}; expected {expected}, {oracle:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
