//! JWK sets: what is taken, what is skipped, what is an error, and how large a set may be.

use serde_json::{Map, Value, json};
use token::{
    Algorithm, JwkSet, JwkSetError, Key, KeyKind, KeySet, MAX_JWK_SET, NewKey, Origin, Policy, PrivateKey,
};

use crate::forge::*;

fn set_of(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

fn fetched(keys: &[Value]) -> JwkSet {
    JwkSet::parse(&set_of(keys), Origin::Fetched).unwrap()
}

/// The key as a JWK, with some members set, or removed by null.
fn with(key: &PrivateKey, changes: Value) -> Value {
    let mut jwk = key.public().to_jwk(Some("a"));
    let members: &mut Map<String, Value> = jwk.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    jwk
}

#[test]
fn what_is_written_is_read_back() {
    for key in [&*RSA, &*P256, &*P384, &*P521, &*ED] {
        let jwk = key.public().to_jwk(Some("2026-a"));
        let set = JwkSet::parse(&set_of(std::slice::from_ref(&jwk)), Origin::File).unwrap();
        let [read] = set.keys() else { panic!("{jwk}") };
        assert_eq!(read.public.fingerprint(), key.public().fingerprint());
        assert_eq!(read.kid.as_deref(), Some("2026-a"));
        assert_eq!(read.algorithms, key.public().algorithms().collect::<Vec<_>>());
        assert!(key.public().to_jwk(None).get("kid").is_none());
    }
}

/// RFC 7517 appendix A.1, and the key of RFC 8037 appendix A.2.
#[test]
fn the_keys_in_the_rfcs_are_read() {
    let set = br#"{"keys":[
        {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
         "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
        {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
         "e":"AQAB","alg":"RS256","kid":"2011-04-29"},
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    ]}"#;
    let set = JwkSet::parse(set, Origin::Fetched).unwrap();
    let told: Vec<_> = set.keys().iter().map(|key| (key.public.kind(), key.algorithms.clone())).collect();
    assert_eq!(
        told,
        [(KeyKind::Rsa(2048), vec![Algorithm::Rs256]), (KeyKind::Ed25519, vec![Algorithm::EdDsa])]
    );
    assert_eq!(
        set.skipped()[0].to_string(),
        r#"key 0 (kid "1"): its `use` does not let it verify signatures"#
    );
}

/// Each change to a good key, and what is said about it; "" where it is still good.
#[test]
fn keys_that_cannot_be_used_are_told_apart() {
    let small = b64([0xc3; 128]);
    let off_curve = b64([1; 32]);
    let with_zero = b64([vec![0], unb64(RSA.public().to_jwk(None)["n"].as_str().unwrap())].concat());
    let rows = [
        (&*ED, json!({}), ""),
        (&ED, json!({"alg": null, "use": null, "kid": null}), ""),
        (&ED, json!({"x5c": ["?"], "x5u": "https://x.example", "ext": true, "iat": 1}), ""),
        (&ED, json!({"key_ops": ["verify"]}), ""),
        (&RSA, json!({"alg": "PS512"}), ""),
        (&RSA, json!({"n": with_zero}), ""),
        (&ED, json!({"use": "enc"}), "its `use`"),
        (&ED, json!({"use": "SIG"}), "its `use`"),
        (&ED, json!({"use": ["sig"]}), "the member `use` is missing or"),
        (&ED, json!({"key_ops": ["encrypt"]}), "its `key_ops`"),
        (&ED, json!({"key_ops": []}), "its `key_ops`"),
        (&ED, json!({"key_ops": "verify"}), "the member `key_ops` is missing or"),
        (&ED, json!({"key_ops": ["verify", 1]}), "the member `key_ops` is missing or"),
        (&ED, json!({"kid": 7}), "the member `kid` is missing or"),
        (&ED, json!({"kid": "é".repeat(129)}), "the member `kid` is longer"),
        (&ED, json!({"alg": "ES256"}), "the member `alg` is \"ES256\""),
        (&ED, json!({"alg": "none"}), "the member `alg` is \"none\""),
        (&ED, json!({"alg": "a\nb".repeat(20)}), "the member `alg` is \"a\\nb"),
        (&RSA, json!({"alg": "HS256"}), "the member `alg` is \"HS256\""),
        (&P256, json!({"alg": "ES384"}), "the member `alg` is \"ES384\""),
        (&ED, json!({"kty": null}), "the member `kty` is missing or"),
        (&ED, json!({"kty": "okp"}), "the member `kty` is \"okp\""),
        (&ED, json!({"kty": "oct"}), "the member `kty` is \"oct\""),
        (&ED, json!({"kty": "oct", "k": "AA"}), "the member `k` belongs to a secret"),
        (&ED, json!({"d": "AA"}), "the member `d` belongs to a secret"),
        (&RSA, json!({"oth": []}), "the member `oth` belongs to a secret"),
        (&RSA, json!({"qi": 1}), "the member `qi` belongs to a secret"),
        (&ED, json!({"crv": "X25519"}), "the member `crv` is \"X25519\""),
        (&ED, json!({"crv": "P-256"}), "the member `crv` is \"P-256\""),
        (&P256, json!({"crv": "secp256k1"}), "the member `crv` is \"secp256k1\""),
        (&P256, json!({"crv": "P-384"}), "the member `x` has not the length"),
        (&P256, json!({"y": null}), "the member `y` is missing or"),
        (&P256, json!({"y": "AA=="}), "the member `y` is not canonical"),
        (&P256, json!({"y": "AB"}), "the member `y` is not canonical"),
        (&P256, json!({"x": off_curve}), "the numbers in this key"),
        (&ED, json!({"x": "AA"}), "the member `x` has not the length"),
        (&ED, json!({"x": 1}), "the member `x` is missing or"),
        (&RSA, json!({"n": small}), "this RSA key has 1024 bits"),
        (&RSA, json!({"n": ""}), "this RSA key has 0 bits"),
        (&RSA, json!({"e": "Aw"}), "this RSA key's public exponent"),
        (&RSA, json!({"e": ""}), "this RSA key's public exponent"),
        (&RSA, json!({"e": "AAAA"}), "this RSA key's public exponent"),
    ];
    for (key, changes, expected) in rows {
        let jwk = with(key, changes.clone());
        let set = fetched(std::slice::from_ref(&jwk));
        let said = set.skipped().first().map_or(String::new(), |skipped| skipped.reason.to_string());
        assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{changes}: {said}");
        assert_eq!(set.keys().len(), usize::from(expected.is_empty()), "{changes}");
        let file = JwkSet::parse(&set_of(&[jwk]), Origin::File);
        assert_eq!(file.is_ok(), expected.is_empty(), "{changes}");
    }
}

/// One useless key does not cost the others, but for a file of ours it is an error that names it.
#[test]
fn what_is_skipped_in_a_fetched_set_is_an_error_in_a_file() {
    let keys =
        [json!(7), with(&ED, json!({})), with(&P256, json!({"use": "enc", "kid": "old\nkey"})), json!({})];
    let set = fetched(&keys);
    let skipped: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            "key 0 (without kid): it is not a JSON object",
            r#"key 2 (kid "old\nkey"): its `use` does not let it verify signatures"#,
            "key 3 (without kid): the member `kty` is missing or of the wrong type",
        ]
    );
    let kids: Vec<_> = set.keys().iter().map(|key| key.kid.as_deref()).collect();
    assert_eq!(kids, [Some("a")]);
    let error = JwkSet::parse(&set_of(&keys[1..]), Origin::File).unwrap_err();
    assert_eq!(error.to_string(), r#"key 1 (kid "old\nkey"): its `use` does not let it verify signatures"#);
}

#[test]
fn a_set_has_one_meaning_and_a_bounded_size() {
    let deep = format!(r#"{{"keys":[],"x":{}{}}}"#, "[".repeat(20), "]".repeat(20));
    let rows: [(&[u8], &str); 11] = [
        (b"", "this is no JWK set: it is not JSON"),
        (b"<html>", "this is no JWK set: it is not JSON"),
        (b"\xff", "this is no JWK set: it is not UTF-8"),
        (b"[]", "this is no JWK set: it is not a JSON object"),
        (br#"{"keys":[]} x"#, "this is no JWK set: it is not JSON"),
        (br#"{"keys":[],"k\u0065ys":[]}"#, "this is no JWK set: an object in it has the same name twice"),
        (
            br#"{"keys":[{"kid":"a","kid":"b"}]}"#,
            "this is no JWK set: an object in it has the same name twice",
        ),
        (deep.as_bytes(), "this is no JWK set: it is nested too deeply"),
        (b"{}", "this is no JWK set: it has no array `keys`"),
        (br#"{"keys":{}}"#, "this is no JWK set: it has no array `keys`"),
        (br#"{"keys":null}"#, "this is no JWK set: it has no array `keys`"),
    ];
    for (bytes, expected) in rows {
        for origin in [Origin::File, Origin::Fetched] {
            let error = JwkSet::parse(bytes, origin).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
    let long = [set_of(&[]), vec![b' '; MAX_JWK_SET]].concat();
    assert_eq!(JwkSet::parse(&long, Origin::Fetched).unwrap_err(), JwkSetError::TooLong);
    assert!(JwkSet::parse(&long[..MAX_JWK_SET], Origin::Fetched).is_ok());
    let many = vec![with(&ED, json!({})); 101];
    assert_eq!(JwkSet::parse(&set_of(&many), Origin::Fetched).unwrap_err(), JwkSetError::TooMany(101));
    assert_eq!(fetched(&many[1..]).keys().len(), 100);
}

/// Its publisher has withdrawn all keys; our own file without keys is a mistake.
#[test]
fn a_set_may_be_empty_only_if_fetched() {
    assert_eq!(JwkSet::parse(&set_of(&[]), Origin::File).unwrap_err(), JwkSetError::Empty);
    let token = seal(ED_HEADER, at(CLAIMS));
    assert_eq!(code(&token, &fetched(&[]).into_key_set().unwrap(), &Policy::default()), "no_keys");
}

/// A published set may have more keys than a token makes us try, if the token says which it means.
#[test]
fn a_large_set_is_told_apart_by_kid() {
    let token = |kid| ED.sign(kid, &serde_json::from_str::<Value>(&at(CLAIMS)).unwrap()).unwrap();
    let others: Vec<PrivateKey> = (0..8).map(|_| PrivateKey::generate(NewKey::Ed25519).unwrap()).collect();
    let others = |count: usize| {
        let jwk = |(index, key): (usize, &PrivateKey)| with(key, json!({"kid": format!("old-{index}")}));
        others.iter().take(count).enumerate().map(jwk).chain([with(&ED, json!({}))]).collect::<Vec<_>>()
    };
    let rows = [(7, Some("a"), "ok"), (7, None, "ok"), (8, Some("a"), "ok"), (8, None, "kid_missing")];
    for (count, kid, expected) in rows {
        let keys = fetched(&others(count)).into_key_set().unwrap();
        assert_eq!(code(&token(kid), &keys, &Policy::default()), expected, "{count} {kid:?}");
    }
    let verified = token::verify(&token(None), &set(&[&ED]), &Policy::default(), *NOW).unwrap();
    let large = fetched(&others(8)).into_key_set().unwrap();
    assert_eq!(verified.recheck(&large, &Policy::default(), *NOW).unwrap_err().code(), "kid_missing");
}

#[test]
fn no_kid_may_have_too_many_keys() {
    let named = |kid: Option<&str>| Key { kid: kid.map(str::to_owned), ..Key::from(ED.public().clone()) };
    let rows = [
        (vec![named(None); 8], true),
        (vec![named(None); 9], false),
        (vec![named(Some("a")); 9], false),
        ([vec![named(Some("a")); 5], vec![named(Some("b")); 5]].concat(), true),
        ([vec![named(Some("a")); 5], vec![named(None); 3]].concat(), true),
        ([vec![named(Some("a")); 5], vec![named(None); 4]].concat(), false),
        ([vec![named(Some("")); 4], vec![named(None); 5]].concat(), false),
    ];
    for (row, (keys, taken)) in rows.into_iter().enumerate() {
        assert_eq!(KeySet::published(keys, 8).is_ok(), taken, "row {row}");
    }
}

/// jsonwebtoken reads what we write, and verifies with it what we sign.
#[test]
fn jsonwebtoken_reads_what_is_written() {
    for key in [&*RSA, &*P256, &*P384, &*ED] {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.public().to_jwk(Some("a"))).unwrap();
        let token = key.sign(Some("a"), &serde_json::from_str::<Value>(&at(CLAIMS)).unwrap()).unwrap();
        let algorithm = key.algorithm().name().parse().unwrap();
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let decoded =
            jsonwebtoken::decode::<Value>(&token, &decoding, &jsonwebtoken::Validation::new(algorithm));
        assert_eq!(decoded.unwrap().claims["sub"], "alice");
    }
}
