//! Which key verifies what: algorithm confusion, `kid`, validity.

use std::time::Duration;

use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use token::{Algorithm, Key, KeySet, NewKey, Policy, PrivateKey, PublicKey, Unverified, verify};

use crate::forge::*;

fn input(alg: &str, kid: Option<&str>) -> String {
    let kid = kid.map_or_else(String::new, |kid| format!(r#","kid":"{kid}""#));
    format!("{}.{}", b64(format!(r#"{{"alg":"{alg}"{kid}}}"#)), b64(at(CLAIMS)))
}

fn signed(key: &PrivateKey, alg: Alg, name: &str) -> String {
    seal_with(key, alg, &input(name, None))
}

fn with_signature(name: &str, signature: &[u8]) -> String {
    format!("{}.{}", input(name, None), b64(signature))
}

#[test]
fn a_key_does_what_its_kind_does_and_nothing_else() {
    let other = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let secret = EncodingKey::from_secret(RSA.public_pem().as_bytes());
    let hmac = format!(
        "{}.{}",
        input("HS256", None),
        jsonwebtoken::crypto::sign(input("HS256", None).as_bytes(), &secret, Alg::HS256).unwrap()
    );
    let pss_as_pkcs1 = {
        let pss = signed(&RSA, Alg::PS256, "RS256");
        assert_eq!(pss.split('.').next(), input("RS256", None).split('.').next());
        pss
    };
    let half_p256 = signed(&P256, Alg::ES256, "ES256");
    let der = der_signature(&unb64(half_p256.rsplit('.').next().unwrap()));
    let cases: Vec<(&str, String, &PrivateKey, &str)> = vec![
        ("RS256", signed(&RSA, Alg::RS256, "RS256"), &RSA, "ok"),
        ("RS384", signed(&RSA, Alg::RS384, "RS384"), &RSA, "ok"),
        ("RS512", signed(&RSA, Alg::RS512, "RS512"), &RSA, "ok"),
        ("PS256", signed(&RSA, Alg::PS256, "PS256"), &RSA, "ok"),
        ("PS384", signed(&RSA, Alg::PS384, "PS384"), &RSA, "ok"),
        ("PS512", signed(&RSA, Alg::PS512, "PS512"), &RSA, "ok"),
        ("ES256", half_p256, &P256, "ok"),
        ("ES384", signed(&P384, Alg::ES384, "ES384"), &P384, "ok"),
        ("EdDSA", signed(&ED, Alg::EdDSA, "EdDSA"), &ED, "ok"),
        ("the public key as a secret", hmac, &RSA, "algorithm"),
        ("RS256 for an EC key", signed(&RSA, Alg::RS256, "RS256"), &P256, "algorithm"),
        ("ES256 for an RSA key", signed(&P256, Alg::ES256, "ES256"), &RSA, "algorithm"),
        ("ES256 for P-384", signed(&P256, Alg::ES256, "ES256"), &P384, "algorithm"),
        ("ES384 by P-256", signed(&P256, Alg::ES256, "ES384"), &P256, "algorithm"),
        ("ES512 for P-256", signed(&P256, Alg::ES256, "ES512"), &P256, "algorithm"),
        ("ES256 for P-521", signed(&P256, Alg::ES256, "ES256"), &P521, "algorithm"),
        ("EdDSA for P-256", signed(&ED, Alg::EdDSA, "EdDSA"), &P256, "algorithm"),
        ("PSS said to be PKCS#1", pss_as_pkcs1, &RSA, "signature"),
        ("PKCS#1 said to be PSS", signed(&RSA, Alg::RS256, "PS256"), &RSA, "signature"),
        ("SHA-256 said to be SHA-512", signed(&RSA, Alg::RS256, "RS512"), &RSA, "signature"),
        ("another key of the kind", signed(&other, Alg::EdDSA, "EdDSA"), &ED, "signature"),
        ("ECDSA in DER", with_signature("ES256", &der), &P256, "signature"),
        ("ECDSA r = s = 0", with_signature("ES256", &[0; 64]), &P256, "signature"),
        ("ECDSA r = s = 2²⁵⁶ − 1", with_signature("ES256", &[255; 64]), &P256, "signature"),
        ("P-521 r = s = 0", with_signature("ES512", &[0; 132]), &P521, "signature"),
        ("RSA of zeros", with_signature("RS256", &[0; 256]), &RSA, "signature"),
        ("RSA above the modulus", with_signature("RS256", &[255; 256]), &RSA, "signature"),
        ("RSA with a leading zero", with_signature("RS256", &[0; 257]), &RSA, "signature"),
    ];
    for (name, token, key, expected) in cases {
        assert_eq!(code(&token, &set(&[key]), &Policy::default()), expected, "{name}");
        if expected != "ok" && key.algorithm() != Algorithm::Es512 {
            assert!(!crate::oracle::takes(&token, key, &Policy::default()), "{name}: jsonwebtoken takes it");
        }
    }
}

/// r and s as an ASN.1 sequence, as TLS has them.
fn der_signature(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(32);
    crate::wrap::seq(&[&crate::wrap::uint(r), &crate::wrap::uint(s)])
}

fn named(key: &PrivateKey, kid: Option<&str>) -> Key {
    Key { kid: kid.map(str::to_owned), ..Key::from(key.public().clone()) }
}

#[test]
fn kid_picks_its_keys_then_those_without() {
    let old = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let token = |kid| seal_with(&ED, Alg::EdDSA, &input("EdDSA", kid));
    let default = Policy::default();
    let cases = [
        (vec![], None, "no_keys"),
        (vec![], Some("a"), "no_keys"),
        (vec![named(&ED, None)], None, "ok"),
        (vec![named(&ED, None)], Some("a"), "ok"),
        (vec![named(&ED, Some("a"))], None, "ok"),
        (vec![named(&ED, Some("a"))], Some("a"), "ok"),
        (vec![named(&ED, Some("a"))], Some("b"), "no_key"),
        (vec![named(&ED, Some("a"))], Some("A"), "no_key"),
        (vec![named(&ED, Some("a"))], Some(""), "no_key"),
        (vec![named(&ED, Some("a")), named(&old, Some("b"))], Some("b"), "signature"),
        (vec![named(&old, Some("a")), named(&ED, Some("a"))], Some("a"), "ok"),
        (vec![named(&ED, None), named(&old, Some("a"))], Some("a"), "ok"),
        (vec![named(&P256, Some("a")), named(&ED, Some("b"))], Some("a"), "algorithm"),
        (vec![named(&old, None), named(&P256, None), named(&ED, Some("b"))], None, "ok"),
    ];
    for (row, (keys, kid, expected)) in cases.into_iter().enumerate() {
        let set = KeySet::new(keys).unwrap();
        assert_eq!(code(&token(kid), &set, &default), expected, "row {row}");
    }
}

#[test]
fn a_key_may_be_narrowed_but_not_widened() {
    let rs = signed(&RSA, Alg::RS256, "RS256");
    let only = |algorithms: &[Algorithm]| {
        KeySet::new(vec![Key { algorithms: algorithms.to_vec(), ..named(&RSA, None) }]).unwrap()
    };
    for (allowed, expected) in [
        (&[Algorithm::Rs256][..], "ok"),
        (&[Algorithm::Ps256], "algorithm"),
        (&[Algorithm::Es256], "algorithm"),
        (&[], "algorithm"),
    ] {
        assert_eq!(code(&rs, &only(allowed), &Policy::default()), expected, "{allowed:?}");
    }
    assert_eq!(
        code(&signed(&P256, Alg::ES256, "ES256"), &only(&[Algorithm::Es256]), &Policy::default()),
        "algorithm"
    );
}

#[test]
fn a_key_counts_within_its_validity() {
    let token = seal(ED_HEADER, at(CLAIMS));
    let now = *NOW;
    let hour = Duration::from_secs(3600);
    let within = |not_before, not_after| Key { not_before, not_after, ..named(&ED, None) };
    let cases = [
        (vec![within(Some(now), Some(now))], "ok"),
        (vec![within(Some(now + hour), None)], "key_expired"),
        (vec![within(None, Some(now - hour))], "key_expired"),
        (vec![within(None, Some(now - hour)), within(Some(now - hour), None)], "ok"),
        (vec![within(None, Some(now - hour)), named(&P256, None)], "key_expired"),
    ];
    for (row, (keys, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(&token, &KeySet::new(keys).unwrap(), &Policy::default()), expected, "row {row}");
    }
    let stranger = PrivateKey::generate(NewKey::Ed25519).unwrap();
    let stale = KeySet::new(vec![Key { not_after: Some(now - hour), ..named(&stranger, None) }]).unwrap();
    assert_eq!(code(&token, &stale, &Policy::default()), "signature");
}

#[test]
fn a_set_has_at_most_eight_keys_for_an_algorithm() {
    let keys = |count: usize| vec![named(&RSA, None); count];
    assert!(KeySet::new(keys(8)).is_ok());
    let error = KeySet::new(keys(9)).unwrap_err();
    assert_eq!((error.algorithm, error.found, error.limit), (Algorithm::Rs256, 9, 8));
    assert!(KeySet::with_max_tried(keys(9), 16).is_ok());
    assert!(KeySet::with_max_tried(keys(17), 16).is_err());
    let mixed: Vec<Key> = [keys(8), vec![named(&ED, None); 8]].concat();
    assert!(KeySet::new(mixed).is_ok());
}

#[test]
fn cheap_checks_come_before_the_key() {
    let stale = seal(ED_HEADER, at(r#"{"sub":"alice","iat":<-900>,"exp":<-600>}"#));
    let forged = format!("{}AA", &stale[..stale.len() - 2]);
    assert_eq!(code(&forged, &KeySet::default(), &Policy::default()), "expired");
}

#[test]
fn what_is_verified_is_told() {
    let keys = KeySet::new(vec![named(&ED, None)]).unwrap();
    let token = seal_with(&ED, Alg::EdDSA, &input("EdDSA", Some("2026-a")));
    let unverified = Unverified::parse(&token).unwrap();
    assert_eq!((unverified.subject(), unverified.kid()), ("alice", Some("2026-a")));
    let verified = verify(&token, &keys, &Policy::default(), *NOW).unwrap();
    assert_eq!(verified.subject, "alice");
    assert_eq!(verified.kid.as_deref(), Some("2026-a"));
    assert_eq!(verified.algorithm, Algorithm::EdDsa);
    assert_eq!(verified.issued, *NOW);
    assert_eq!(verified.expires, *NOW + Duration::from_secs(300));
    assert_eq!(verified.key_fingerprint, ED.public().fingerprint());
    assert_eq!(verified.claims["sub"], "alice");
    assert_eq!(verified.claims.len(), 3);
}

#[test]
fn what_was_verified_is_rechecked() {
    let token = seal(ED_HEADER, at(CLAIMS));
    let policy = Policy { freshness: Some(Duration::from_secs(100)), ..Policy::default() };
    let good = set(&[&ED]);
    let verified = verify(&token, &good, &policy, *NOW).unwrap();
    let stale = KeySet::new(vec![Key { not_after: Some(*NOW), ..named(&ED, None) }]).unwrap();
    let narrowed = KeySet::new(vec![Key { algorithms: vec![], ..named(&ED, None) }]).unwrap();
    let cases = [
        (&good, &policy, 130, "ok"),
        (&good, &policy, 131, "too_old"),
        (&good, &Policy::default(), 329, "ok"),
        (&good, &Policy::default(), 330, "expired"),
        (&set(&[&P256, &RSA]), &policy, 0, "key_removed"),
        (&KeySet::default(), &policy, 0, "key_removed"),
        (&narrowed, &policy, 0, "key_removed"),
        (&stale, &policy, 0, "ok"),
        (&stale, &policy, 1, "key_expired"),
    ];
    for (row, (keys, policy, after, expected)) in cases.into_iter().enumerate() {
        let result = verified.recheck(keys, policy, *NOW + Duration::from_secs(after));
        assert_eq!(result.map_or_else(|refused| refused.code(), |()| "ok"), expected, "row {row}");
    }
}

#[test]
fn debug_and_errors_keep_secrets() {
    let key = PrivateKey::generate(NewKey::P256).unwrap();
    let token = key.sign(None, &serde_json::json!({"sub": "hidden-subject"})).unwrap();
    let error = verify(&token, &KeySet::default(), &Policy::default(), *NOW).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hidden"));
    let public: &PublicKey = key.public();
    assert_eq!(format!("{key:?}"), format!("PrivateKey(PublicKey(P-256, {}))", public.fingerprint()));
}
