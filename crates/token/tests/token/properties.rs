//! Properties of arbitrary input: nothing panics, and nothing that was touched is taken.

use proptest::prelude::*;
use token::{Bare, JwkSet, Origin, Policy, PrivateKey, PublicKey, Unverified, bearer};

use crate::forge::*;
use crate::wrap::{certificate, pem, pkcs1_of, pkcs8_of, spki_of, utc_time};

fn good(key: &PrivateKey) -> String {
    key.sign(Some("k"), &serde_json::from_str::<serde_json::Value>(&at(CLAIMS)).unwrap()).unwrap()
}

/// Every byte of a good token, changed to every other letter that may stand there.
#[test]
fn no_single_byte_may_change() {
    let letters: Vec<u8> = (0x20..0x7f).collect();
    let keys = set(&[&ED]);
    let token = good(&ED).into_bytes();
    for position in 0..token.len() {
        for &letter in letters.iter().filter(|letter| **letter != token[position]) {
            let mut changed = token.clone();
            changed[position] = letter;
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(code(&changed, &keys, &Policy::default()), "ok", "{position} {letter}");
        }
    }
}

/// The signatures of the other kinds, a few changes to each byte.
#[test]
fn no_byte_of_a_signature_may_change() {
    for key in [&*P256, &*P384, &*P521, &*RSA] {
        let token = good(key);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = unb64(signature);
        for position in 0..signature.len() {
            let mut changed = signature.clone();
            changed[position] ^= 1 << (position % 8);
            let changed = format!("{input}.{}", b64(changed));
            assert_eq!(code(&changed, &set(&[key]), &Policy::default()), "signature", "{position}");
        }
    }
}

#[test]
fn no_byte_may_be_missing_or_twice() {
    let keys = set(&[&ED]);
    let token = good(&ED);
    for position in 0..token.len() {
        let mut shorter = token.clone();
        let letter = shorter.remove(position);
        assert_ne!(code(&shorter, &keys, &Policy::default()), "ok", "{position}");
        let mut longer = token.clone();
        longer.insert(position, letter);
        assert_ne!(code(&longer, &keys, &Policy::default()), "ok", "{position}");
        assert_ne!(code(&token[..position], &keys, &Policy::default()), "ok", "{position}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused(text in any::<String>()) {
        prop_assert!(Unverified::parse(&text).is_err());
    }

    #[test]
    fn arbitrary_segments_are_refused(text in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert_ne!(code(&text, &set(&[&ED]), &Policy::default()), "ok");
    }

    #[test]
    fn arbitrary_signed_bytes_do_not_panic(header: Vec<u8>, payload: Vec<u8>) {
        prop_assert_ne!(code(&seal(header, payload), &set(&[&ED]), &Policy::default()), "ok");
    }

    #[test]
    fn arbitrary_claims_do_not_panic(sub in any::<String>(), exp in any::<f64>(), iat in any::<i64>(), nbf in any::<u64>()) {
        let claims = serde_json::json!({"sub": sub, "exp": exp, "iat": iat, "nbf": nbf});
        let _ = code(&ED.sign(None, &claims).unwrap(), &set(&[&ED]), &Policy::default());
    }

    #[test]
    fn subjects_come_through(sub in "\\PC{1,60}", kid in any::<String>().prop_filter("header of 1 KiB", |kid| kid.len() < 150)) {
        let claims = serde_json::from_str::<serde_json::Value>(&at(CLAIMS)).unwrap();
        let mut claims = claims;
        claims["sub"] = sub.clone().into();
        let token = ED.sign(Some(&kid), &claims).unwrap();
        let verified = token::verify(&token, &set(&[&ED]), &Policy::default(), *NOW).unwrap();
        prop_assert_eq!((verified.subject, verified.kid), (sub, Some(kid)));
    }

    #[test]
    fn headers_do_not_panic(values: Vec<Vec<u8>>) {
        let _ = bearer(values.iter().map(Vec::as_slice), Bare::Accept);
    }

    #[test]
    fn files_do_not_panic(text: Vec<u8>) {
        prop_assert!(PublicKey::from_pem(&text).is_err());
        prop_assert!(PrivateKey::from_pem(&text).is_err());
        let block = pem("X", &text);
        prop_assert!(PublicKey::from_pem(block.as_bytes()).is_err());
        prop_assert!(PrivateKey::from_pem(block.as_bytes()).is_err());
    }

    #[test]
    fn jwk_sets_do_not_panic(bytes: Vec<u8>, member in "\\PC{0,20}", value in "[A-Za-z0-9_-]{0,99}") {
        prop_assert!(JwkSet::parse(&bytes, Origin::Fetched).is_err());
        for kind in ["RSA", "EC", "OKP"] {
            for curve in ["P-256", "P-521", "Ed25519"] {
                let key = serde_json::json!({"kty": kind, "crv": curve, "x": value, "y": value, "n": value, "e": "AQAB", member.clone(): value});
                let set = serde_json::json!({"keys": [key]}).to_string();
                let _ = JwkSet::parse(set.as_bytes(), Origin::Fetched).unwrap();
                let _ = JwkSet::parse(set.as_bytes(), Origin::File);
            }
        }
    }

    #[test]
    fn changed_jwk_sets_do_not_panic(which in 0..5usize, position: prop::sample::Index, byte in 0x20..0x7fu8) {
        let key = [&*RSA, &*P256, &*P384, &*P521, &*ED][which];
        let mut set = serde_json::json!({"keys": [key.public().to_jwk(Some("a"))]}).to_string().into_bytes();
        let position = position.index(set.len());
        set[position] = byte;
        if let Ok(set) = JwkSet::parse(&set, Origin::Fetched) {
            prop_assert!(set.keys().len() + set.skipped().len() <= 1);
        }
    }

    #[test]
    fn changed_keys_do_not_panic(which in 0..6usize, position: prop::sample::Index, byte: u8) {
        let mut der = match which {
            0 => spki_of(&RSA),
            1 => spki_of(&P521),
            2 => certificate(&spki_of(&ED), &utc_time("260101000000Z"), &utc_time("300101000000Z")),
            3 => pkcs1_of(&RSA),
            4 => pkcs8_of(&P256),
            _ => pkcs8_of(&ED),
        };
        let position = position.index(der.len());
        der[position] = byte;
        let _ = PublicKey::from_pem(pem("X", &der).as_bytes());
        let _ = PrivateKey::from_pem(pem("X", &der).as_bytes());
    }
}
