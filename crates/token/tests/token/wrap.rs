//! Keys in forms that aws-lc does not write: PKCS#1, SEC1, certificates. A few lines of DER do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use token::PrivateKey;

use crate::forge::der;

pub(crate) const RSA_ID: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1];
pub(crate) const RSA_PSS_ID: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 10];
pub(crate) const EC_ID: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(crate) const P256_ID: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub(crate) const SECP256K1_ID: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 10];
pub(crate) const X25519_ID: &[u8] = &[6, 3, 0x2b, 0x65, 110];
pub(crate) const ED25519_ID: &[u8] = &[6, 3, 0x2b, 0x65, 112];
pub(crate) const ED448_ID: &[u8] = &[6, 3, 0x2b, 0x65, 113];
pub(crate) const NULL: &[u8] = &[5, 0];

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = match value.len() {
        short @ 0..0x80 => vec![short as u8],
        long => [vec![0x82], (long as u16).to_be_bytes().to_vec()].concat(),
    };
    // DER wants the shortest length, and one in one byte has a form of its own from 128 to 255
    let length = if (0x80..0x100).contains(&value.len()) { vec![0x81, value.len() as u8] } else { length };
    [vec![tag], length, value].concat()
}

pub(crate) fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// A number is positive: a leading one bit wants a zero byte in front.
pub(crate) fn uint(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let bytes = &bytes[start..];
    if bytes[0] & 0x80 == 0 { tlv(2, &[bytes]) } else { tlv(2, &[&[0], bytes]) }
}

pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes])
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, &[bytes])
}

pub(crate) fn spki(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    seq(&[&seq(algorithm), &bits(key)])
}

/// A certificate with that SubjectPublicKeyInfo, valid between two DER times, with no names and an
/// empty signature.
pub(crate) fn certificate(spki: &[u8], not_before: &[u8], not_after: &[u8]) -> Vec<u8> {
    certificate_of(&tlv(0xa0, &[&uint(&[2])]), spki, not_before, not_after)
}

pub(crate) fn certificate_v1(spki: &[u8], not_before: &[u8], not_after: &[u8]) -> Vec<u8> {
    certificate_of(&[], spki, not_before, not_after)
}

fn certificate_of(version: &[u8], spki: &[u8], not_before: &[u8], not_after: &[u8]) -> Vec<u8> {
    let algorithm = seq(&[ED25519_ID]);
    let name = seq(&[]);
    let validity = seq(&[not_before, not_after]);
    let tbs = seq(&[version, &uint(&[1]), &algorithm, &name, &validity, &name, spki]);
    seq(&[&tbs, &algorithm, &bits(&[])])
}

pub(crate) fn utc_time(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

pub(crate) fn generalized_time(text: &str) -> Vec<u8> {
    tlv(0x18, &[text.as_bytes()])
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

pub(crate) fn spki_of(key: &PrivateKey) -> Vec<u8> {
    der(&key.public_pem())
}

pub(crate) fn pkcs8_of(key: &PrivateKey) -> Vec<u8> {
    der(&key.to_pem().unwrap())
}

/// PKCS#1 is what PKCS#8 and SPKI wrap; for 2048 bits at these offsets.
pub(crate) fn pkcs1_of(key: &PrivateKey) -> Vec<u8> {
    pkcs8_of(key)[26..].to_vec()
}

pub(crate) fn pkcs1_public_of(key: &PrivateKey) -> Vec<u8> {
    spki_of(key)[24..].to_vec()
}

/// SEC1 with its curve (RFC 5915 §3), from P-256 in PKCS#8: there the number is at byte 36.
pub(crate) fn sec1_of_p256(key: &PrivateKey, curve: &[u8]) -> Vec<u8> {
    let number = &pkcs8_of(key)[36..68];
    seq(&[&uint(&[1]), &octets(number), &tlv(0xa0, &[curve])])
}
