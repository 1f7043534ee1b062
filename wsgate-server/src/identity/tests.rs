use std::time::{Duration, UNIX_EPOCH};

use http::header::{AUTHORIZATION, HeaderName};
use serde_json::json;
use token::{Key, KeySet, NewKey, Policy, PrivateKey};

use crate::file::Jwks;

use super::*;
use crate::rules::Pattern;

const T: u64 = 1_800_000_000;
const AUD: &str = "/projects/1/global/backendServices/2";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(T)
}

fn lines(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
    lines.iter().map(line).collect()
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Good claims of an assertion, with `change` laid over them; null takes one out.
fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": "https://cloud.google.com/iap", "aud": AUD, "sub": "accounts.google.com:1", "iat": T - 10,
        "exp": T + 600, "email": "alice@example.com", "hd": "example.com"
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let kept = claims.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn set(keys: &[(&PrivateKey, &str)]) -> KeySet {
    let named = |(key, kid): &(&PrivateKey, &str)| Key {
        kid: Some((*kid).to_owned()),
        ..Key::from(key.public().clone())
    };
    KeySet::new(keys.iter().map(named).collect()).unwrap()
}

fn assertions() -> Policy {
    let issuer = vec!["https://cloud.google.com/iap".to_owned()];
    Policy { audience: vec!["/other".to_owned(), AUD.to_owned()], issuer, ..Policy::default() }
}

#[test]
fn an_assertion_is_taken_or_refused_for_one_reason() {
    let [iap, other, p384] =
        [NewKey::P256, NewKey::P256, NewKey::P384].map(|k| PrivateKey::generate(k).unwrap());
    let keys = set(&[(&iap, "a"), (&p384, "b")]);
    let refused = |r| Err(Denied::Assertion(r));
    for (key, kid, change, expected) in [
        (&iap, Some("a"), json!({}), Ok("alice@example.com")),
        (&iap, Some("a"), json!({ "aud": "/other" }), Ok("alice@example.com")),
        (&iap, Some("a"), json!({ "exp": T - 29 }), Ok("alice@example.com")),
        (&iap, Some("a"), json!({ "iat": T + 29 }), Ok("alice@example.com")),
        (&iap, Some("a"), json!({ "aud": format!("{AUD}0") }), refused(Refused::Audience)),
        (&iap, Some("a"), json!({ "aud": [AUD] }), refused(Refused::Audience)),
        (&iap, Some("a"), json!({ "aud": null }), refused(Refused::Audience)),
        (&iap, Some("a"), json!({ "iss": "https://cloud.google.com/iap/" }), refused(Refused::Issuer)),
        (&iap, Some("a"), json!({ "iss": "https://accounts.google.com" }), refused(Refused::Issuer)),
        (&iap, Some("a"), json!({ "iss": null }), refused(Refused::Issuer)),
        (&iap, Some("a"), json!({ "exp": T - 31 }), refused(Refused::Expired)),
        (&iap, Some("a"), json!({ "iat": T + 31 }), refused(Refused::Future)),
        (&iap, Some("a"), json!({ "exp": null }), refused(Refused::MissingClaim("exp"))),
        (&iap, Some("a"), json!({ "iat": null }), refused(Refused::MissingClaim("iat"))),
        (&iap, Some("a"), json!({ "email": null }), Err(Denied::Email)),
        (&iap, Some("a"), json!({ "email": 7 }), Err(Denied::Email)),
        (&iap, Some("a"), json!({ "email": "" }), Err(Denied::Email)),
        (&iap, Some("a"), json!({ "email": "a@b\nuser=root" }), Err(Denied::Email)),
        (&iap, Some("a"), json!({ "email": "a".repeat(321) }), Err(Denied::Email)),
        (&iap, Some("c"), json!({}), refused(Refused::NoKey)),
        (&iap, None, json!({}), refused(Refused::KidMissing)),
        (&iap, Some("b"), json!({}), refused(Refused::Algorithm)),
        (&p384, Some("b"), json!({}), refused(Refused::Algorithm)),
        (&other, Some("a"), json!({}), refused(Refused::Signature)),
    ] {
        let headers =
            lines(&[("x-goog-iap-jwt-assertion", &key.sign(kid, &claims(change.clone())).unwrap())]);
        let known = iap::asserted(&headers, &keys, &assertions(), now());
        let email = known.as_ref().map(|known| known.email.as_deref().unwrap()).map_err(|denied| *denied);
        assert_eq!(email, expected, "{kid:?} {change}");
    }
}

#[test]
fn an_assertion_is_verified_with_the_key_that_it_names() {
    let [named, nameless] = [(); 2].map(|()| PrivateKey::generate(NewKey::P256).unwrap());
    let key = |key: &PrivateKey, kid: Option<&str>| Key {
        kid: kid.map(str::to_owned),
        ..Key::from(key.public().clone())
    };
    let keys = KeySet::new(vec![key(&named, Some("a")), key(&nameless, None)]).unwrap();
    let no_key = Err(Denied::Assertion(Refused::NoKey));
    for (signer, kid, expected) in [(&named, "a", Ok(())), (&nameless, "a", no_key), (&nameless, "b", no_key)]
    {
        let token = signer.sign(Some(kid), &claims(json!({}))).unwrap();
        let headers = lines(&[("x-goog-iap-jwt-assertion", &token)]);
        assert_eq!(iap::asserted(&headers, &keys, &assertions(), now()).map(drop), expected, "{kid}");
    }
}

#[test]
fn there_is_one_assertion_and_no_other_header_is_looked_at() {
    let key = PrivateKey::generate(NewKey::P256).unwrap();
    let keys = set(&[(&key, "a")]);
    let good = key.sign(Some("a"), &claims(json!({}))).unwrap();
    const NAME: &str = "x-goog-iap-jwt-assertion";
    let forged = ("x-goog-authenticated-user-email", "accounts.google.com:root@example.com");
    let bearer = format!("Bearer {good}");
    for (headers, expected) in [
        (lines(&[]), Err(Denied::NoAssertion)),
        (lines(&[forged]), Err(Denied::NoAssertion)),
        (lines(&[("authorization", &bearer)]), Err(Denied::NoAssertion)),
        (lines(&[(NAME, &good), (NAME, &good)]), Err(Denied::SeveralAssertions)),
        (lines(&[(NAME, &bearer)]), Err(Denied::Assertion(Refused::Alphabet))),
        (lines(&[(NAME, "")]), Err(Denied::Assertion(Refused::Segments))),
        (lines(&[(NAME, &good), forged]), Ok("alice@example.com")),
    ] {
        let known = iap::asserted(&headers, &keys, &assertions(), now());
        let user = known.as_ref().map(|known| known.caller.user.as_str()).map_err(|denied| *denied);
        assert_eq!(user, expected, "{headers:?}");
    }
}

/// A key, its `kid` and its subjects.
type Given<'a> = (&'a PrivateKey, Option<&'a str>, Option<&'a [&'a str]>);

fn keys(trusted: &[Given<'_>]) -> anyhow::Result<Keys> {
    let trusted = trusted.iter().enumerate().map(|(n, (key, kid, subjects))| Trusted {
        key: Key { kid: kid.map(str::to_owned), ..Key::from(key.public().clone()) },
        subjects: subjects.map(patterns),
        place: format!("key {n}"),
    });
    Keys::new(trusted.collect(), Policy::default())
}

fn bearer(key: &PrivateKey, kid: Option<&str>, sub: &str) -> HeaderMap {
    let token = key.sign(kid, &json!({ "sub": sub, "iat": T, "exp": T + 60 })).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

#[test]
fn a_key_speaks_for_its_subjects_and_answers_to_its_kid() {
    let [any, batch] = [NewKey::P256, NewKey::Ed25519].map(|kind| PrivateKey::generate(kind).unwrap());
    let keys = keys(&[(&any, None, None), (&batch, Some("b"), Some(&["batch-*"]))]).unwrap();
    let stranger = PrivateKey::generate(NewKey::P256).unwrap();
    for (key, kid, sub, code) in [
        (&any, None, "alice", ""),
        (&any, None, "batch-1", ""),
        (&any, Some("b"), "alice", ""), // a key without kid is tried for any
        (&batch, Some("b"), "batch-1", ""),
        (&batch, None, "batch-1", ""),
        (&batch, Some("b"), "alice", "the key may not claim this sub"),
        (&batch, Some("c"), "batch-1", "algorithm"),
        (&stranger, None, "alice", "signature"),
    ] {
        let known = keys.verify(&bearer(key, kid, sub), now());
        assert_eq!(known.as_ref().err().map_or(String::new(), |denied| denied.code()), code, "{kid:?} {sub}");
        assert!(known.is_err() || known.unwrap().sub.as_deref() == Some(sub));
    }
}

#[test]
fn a_key_that_is_there_twice_has_the_same_subjects() {
    let key = PrivateKey::generate(NewKey::P256).unwrap();
    let subjects: Option<&[&str]> = Some(&["a"]);
    assert!(keys(&[(&key, Some("x"), subjects), (&key, Some("y"), subjects)]).is_ok());
    let error = keys(&[(&key, None, subjects), (&key, None, None)]).unwrap_err().to_string();
    assert_eq!(error, "key 1: the same key as key 0, with other subjects; remove one of them");
}

#[test]
fn both_must_verify_and_mean_the_same_caller() {
    let (iap, own) =
        (PrivateKey::generate(NewKey::P256).unwrap(), PrivateKey::generate(NewKey::P256).unwrap());
    let trusted = set(&[(&iap, "a")]);
    let assertion = iap.sign(Some("a"), &claims(json!({}))).unwrap();
    let headers = lines(&[("x-goog-iap-jwt-assertion", &assertion)]);
    let asserted = iap::asserted(&headers, &trusted, &assertions(), now()).unwrap();
    let users = [("alice@example.com".to_owned(), patterns(&["alice"]))];
    for (pairing, sub, pass) in [
        (Pairing::Any, "bob", true),
        (Pairing::Users(Default::default()), "alice@example.com", true),
        (Pairing::Users(Default::default()), "alice", false),
        (Pairing::Users(users.clone().into()), "alice", true),
        (Pairing::Users(users.into()), "bob", false),
    ] {
        let keys = keys(&[(&own, None, None)]).unwrap();
        let token = keys.verify(&bearer(&own, None, sub), now()).unwrap();
        let key = token.caller.key.clone();
        match paired(asserted.clone(), token, &pairing) {
            Ok(known) => {
                let caller = Caller { user: "alice@example.com".into(), method: "iap+jwt", key };
                assert_eq!(known.caller, caller);
                assert_eq!((known.sub.as_deref(), known.claims["sub"].as_str()), (Some(sub), Some(sub)));
                assert!(pass, "{sub}");
            }
            Err(denied) => assert!(!pass && matches!(denied, Denied::Pairing(_)), "{sub}"),
        }
    }
}

#[tokio::test]
async fn nobody_is_judged_before_the_first_keys_and_new_ones_are_taken_over() {
    let [first, second] = [NewKey::P256, NewKey::P256].map(|kind| PrivateKey::generate(kind).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    let publish = |keys: &[(&PrivateKey, &str)]| {
        let jwks: Vec<_> = keys.iter().map(|(key, kid)| key.public().to_jwk(Some(kid))).collect();
        std::fs::write(file.path(), json!({ "keys": jwks }).to_string()).unwrap();
    };
    publish(&[(&first, "a")]);
    let source = || Some(Jwks::File(file.path().to_owned()));
    let iap = Iap::start(source(), vec![AUD.to_owned()], None).unwrap();
    let identity = Identity::Iap(iap.clone());
    let signed = |key: &PrivateKey, kid| {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = claims(json!({ "iat": seconds, "exp": seconds + 60 }));
        lines(&[("x-goog-iap-jwt-assertion", &key.sign(Some(kid), &claims).unwrap())])
    };
    let ask = |headers: &HeaderMap| identity.identify(headers, None, SystemTime::now());
    assert!(!identity.is_ready());
    assert!(matches!(ask(&signed(&first, "a")), Err(Refusal::IdentityNotReady)));
    iap.ready().await;
    assert!(identity.is_ready());
    assert_eq!(ask(&signed(&first, "a")).unwrap().email.unwrap(), "alice@example.com");

    let mut changes = iap.changes();
    changes.borrow_and_update();
    publish(&[(&first, "a"), (&second, "b")]);
    let refused = ask(&signed(&second, "b"));
    assert!(matches!(refused, Err(Refusal::Credential(Denied::Assertion(Refused::NoKey)))), "{refused:?}");
    changes.changed().await.unwrap(); // the unknown kid has the set read again
    assert!(ask(&signed(&second, "b")).is_ok());

    let again = Iap::start(source(), vec!["/other".to_owned()], Some(&iap)).unwrap();
    assert!(again.is_ready(), "the same source is the same cache");
}
