//! What a piece of DER is, told from the tags of its outermost elements:
//!
//! ```text
//! SEQ { INT n, INT e }                              RSAPublicKey          RFC 8017 A.1.1
//! SEQ { INT 0, INT n, INT e, INT d, … }             RSAPrivateKey         RFC 8017 A.1.2
//! SEQ { SEQ algorithm, BITS key }                   SubjectPublicKeyInfo  RFC 5280 §4.1.2.7
//! SEQ { SEQ tbs, SEQ algorithm, BITS signature }    Certificate           RFC 5280 §4.1
//! SEQ { INT 0, SEQ algorithm, OCTETS key, … }       PrivateKeyInfo        RFC 5958 §2
//! SEQ { INT 1, OCTETS key, [0] OID curve, … }       ECPrivateKey          RFC 5915 §3
//! SEQ { SEQ algorithm, OCTETS }                     EncryptedPrivateKey   RFC 5958 §3
//! OID                                               EcpkParameters        RFC 5480 §2.1.1
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, UintRef, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

/// One of the forms above; the fields are still to be judged.
pub(crate) enum Shape<'a> {
    RsaPublic(RsaNumbers<'a>),
    RsaPrivate(RsaNumbers<'a>),
    Spki(Spki<'a>),
    Certificate(Certificate<'a>),
    Pkcs8 { algorithm: AlgorithmId<'a>, key: &'a [u8] },
    Sec1 { curve: Option<ObjectIdentifier> },
    Encrypted,
    Parameters,
    Unknown,
}

/// Big-endian, without leading zeros.
pub(crate) struct RsaNumbers<'a> {
    pub(crate) modulus: &'a [u8],
    pub(crate) exponent: &'a [u8],
}

pub(crate) struct AlgorithmId<'a> {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) parameters: Option<AnyRef<'a>>,
}

pub(crate) struct Spki<'a> {
    pub(crate) algorithm: AlgorithmId<'a>,
    pub(crate) key: &'a [u8],
}

pub(crate) struct Certificate<'a> {
    pub(crate) spki: Spki<'a>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// The shape of `der`, which must be one element and nothing after it.
pub(crate) fn shape(der: &[u8]) -> Shape<'_> {
    match AnyRef::from_der(der) {
        Ok(element) if element.tag() == Tag::ObjectIdentifier => Shape::Parameters,
        Ok(element) => sequence_shape(element).unwrap_or(Shape::Unknown),
        Err(_) => Shape::Unknown,
    }
}

fn sequence_shape(element: AnyRef<'_>) -> Option<Shape<'_>> {
    use Tag::{BitString, Integer, OctetString, Sequence};
    let parts = elements(element)?;
    let tags: Vec<Tag> = parts.iter().map(Tagged::tag).collect();
    Some(match tags.as_slice() {
        [Integer, Integer] => Shape::RsaPublic(rsa_numbers(parts[0], parts[1])?),
        [Integer, Integer, Integer, Integer, Integer, Integer, Integer, Integer, Integer, ..] => {
            Shape::RsaPrivate(rsa_numbers(parts[1], parts[2])?)
        }
        [Sequence, BitString] => Shape::Spki(spki(element)?),
        [Sequence, Sequence, BitString] => Shape::Certificate(certificate(parts[0])?),
        [Integer, Sequence, OctetString, ..] => {
            Shape::Pkcs8 { algorithm: algorithm(parts[1])?, key: parts[2].value() }
        }
        [Integer, OctetString, ..] => Shape::Sec1 { curve: sec1_curve(&parts) },
        [Sequence, OctetString] => Shape::Encrypted,
        _ => Shape::Unknown,
    })
}

/// The numbers in an `RSAPublicKey`.
pub(crate) fn rsa_public(der: &[u8]) -> Option<RsaNumbers<'_>> {
    match shape(der) {
        Shape::RsaPublic(numbers) => Some(numbers),
        _ => None,
    }
}

fn rsa_numbers<'a>(modulus: AnyRef<'a>, exponent: AnyRef<'a>) -> Option<RsaNumbers<'a>> {
    let modulus = modulus.decode_as::<UintRef<'a>>().ok()?.as_bytes();
    let exponent = exponent.decode_as::<UintRef<'a>>().ok()?.as_bytes();
    Some(RsaNumbers { modulus, exponent })
}

fn spki(element: AnyRef<'_>) -> Option<Spki<'_>> {
    let [algorithm_id, key] = elements(element)?.try_into().ok()?;
    let key = key.decode_as::<BitStringRef<'_>>().ok()?.as_bytes()?;
    Some(Spki { algorithm: algorithm(algorithm_id)?, key })
}

fn algorithm(element: AnyRef<'_>) -> Option<AlgorithmId<'_>> {
    let parts = elements(element)?;
    let (oid, parameters) = parts.split_first()?;
    Some(AlgorithmId { oid: oid.decode_as().ok()?, parameters: parameters.first().copied() })
}

/// Of the part that is signed, in order: version `[0]` (absent in v1), serial number, algorithm,
/// issuer, validity, subject, key. Who signed it is not asked: the operator chose this certificate.
fn certificate(tbs: AnyRef<'_>) -> Option<Certificate<'_>> {
    let mut parts = elements(tbs)?;
    if parts.first()?.tag().is_context_specific() {
        parts.remove(0);
    }
    let [_, _, _, validity, _, key, ..] = parts.as_slice() else { return None };
    let [not_before, not_after] = elements(*validity)?.try_into().ok()?;
    Some(Certificate { spki: spki(*key)?, not_before: time(not_before)?, not_after: time(not_after)? })
}

fn time(element: AnyRef<'_>) -> Option<SystemTime> {
    let since_epoch = match element.tag() {
        Tag::UtcTime => element.decode_as::<UtcTime>().ok()?.to_unix_duration(),
        _ => element.decode_as::<GeneralizedTime>().ok()?.to_unix_duration(),
    };
    UNIX_EPOCH.checked_add(since_epoch)
}

fn sec1_curve(parts: &[AnyRef<'_>]) -> Option<ObjectIdentifier> {
    let parameters = parts.get(2).filter(|part| part.tag().is_context_specific())?;
    ObjectIdentifier::from_der(parameters.value()).ok()
}

/// What is inside an element that holds elements.
fn elements(element: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    if !element.tag().is_constructed() {
        return None;
    }
    let mut reader = SliceReader::new(element.value()).ok()?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.decode().ok()?);
    }
    Some(parts)
}
