//! What we sign, we and others take.

use serde_json::{Value, json};
use token::{Algorithm, NewKey, Policy, PrivateKey, SignError, verify};

use crate::forge::*;
use crate::wrap::{P256_ID, certificate, pem, pkcs1_of, pkcs1_public_of, sec1_of_p256, spki_of, utc_time};

fn claims() -> Value {
    serde_json::from_str(&at(r#"{"sub":"älice","iat":<0>,"exp":<300>,"jti":"1"}"#)).unwrap()
}

#[test]
fn every_kind_of_key() {
    let rows: [(&PrivateKey, Algorithm); 5] = [
        (&RSA, Algorithm::Rs256),
        (&P256, Algorithm::Es256),
        (&P384, Algorithm::Es384),
        (&P521, Algorithm::Es512),
        (&ED, Algorithm::EdDsa),
    ];
    for (key, algorithm) in rows {
        let again = PrivateKey::from_pem(key.to_pem().unwrap().as_bytes()).unwrap();
        let token = again.sign(Some("k"), &claims()).unwrap();
        let verified = verify(&token, &set(&[key]), &Policy::default(), *NOW).unwrap();
        assert_eq!((verified.algorithm, verified.subject.as_str()), (algorithm, "älice"));
        assert_eq!(Value::Object(verified.claims), claims());
        if algorithm != Algorithm::Es512 {
            assert!(crate::oracle::takes(&token, key, &Policy::default()), "{algorithm}");
        }
    }
}

#[test]
fn every_form_of_key() {
    let valid = |spki: &[u8]| {
        pem("CERTIFICATE", &certificate(spki, &utc_time("200101000000Z"), &utc_time("491231235959Z")))
    };
    let rows = [
        (pem("RSA PRIVATE KEY", &pkcs1_of(&RSA)), pem("RSA PUBLIC KEY", &pkcs1_public_of(&RSA))),
        (pem("RSA PRIVATE KEY", &pkcs1_of(&RSA)), valid(&spki_of(&RSA))),
        (pem("EC PRIVATE KEY", &sec1_of_p256(&P256, P256_ID)), P256.public_pem()),
        (pem("EC PRIVATE KEY", &sec1_of_p256(&P256, P256_ID)), valid(&spki_of(&P256))),
        (ED.to_pem().unwrap(), valid(&spki_of(&ED))),
    ];
    for (private, public) in rows {
        let private = PrivateKey::from_pem(private.as_bytes()).unwrap();
        let public = token::PublicKey::from_pem(public.as_bytes()).unwrap();
        let keys = token::KeySet::new(vec![public.into()]).unwrap();
        let token = private.sign(None, &claims()).unwrap();
        assert_eq!(code(&token, &keys, &Policy::default()), "ok", "{private:?}");
    }
}

#[test]
fn the_header_is_what_it_says() {
    let header = |kid: Option<&str>| {
        let token = P384.sign(kid, &claims()).unwrap();
        serde_json::from_slice::<Value>(&unb64(token.split('.').next().unwrap())).unwrap()
    };
    assert_eq!(header(None), json!({"typ": "JWT", "alg": "ES384"}));
    assert_eq!(header(Some("a\"b")), json!({"typ": "JWT", "alg": "ES384", "kid": "a\"b"}));
}

#[test]
fn claims_are_an_object() {
    for value in [json!(null), json!("alice"), json!([1])] {
        assert!(matches!(ED.sign(None, &value), Err(SignError::NotObject)));
    }
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(ED.sign(None, &unwritable), Err(SignError::Claims(_))));
}

#[test]
fn generated_keys_are_of_the_kind_that_was_asked_for() {
    let rows = [
        (NewKey::Rsa3072, "RSA 3072"),
        (NewKey::P256, "P-256"),
        (NewKey::P384, "P-384"),
        (NewKey::P521, "P-521"),
        (NewKey::Ed25519, "Ed25519"),
    ];
    for (kind, name) in rows {
        let key = PrivateKey::generate(kind).unwrap();
        assert_eq!(key.public().kind().to_string(), name);
        assert_ne!(
            key.public().fingerprint(),
            PrivateKey::generate(NewKey::Ed25519).unwrap().public().fingerprint()
        );
    }
}
