//! Keys that an issuer publishes: fetched, rotated, and never by a request.

use e2e::deteco::{Deteco, service};
use e2e::eventually::eventually;
use e2e::http::get as page;
use e2e::issuer::{Issuer, KeyServer, jwk_set};
use e2e::process::Signal;
use e2e::scratch::Scratch;
use e2e::web_server::{WebServer, answer};
use serde_json::json;

use super::Site;

/// alice, whose keys are where `place` says.
pub(super) fn published(place: &str) -> String {
    format!("[[services]]\nid = \"alice\"\npaths = [\"/path1\"]\n[services.jwks]\n{place}\n")
}

pub(super) fn by_url(keys: &KeyServer) -> String {
    published(&format!("url = {:?}", keys.url()))
}

pub(super) fn status(deteco: &Deteco, issuer: &Issuer) -> u16 {
    deteco.ask("/path1", &issuer.bearer("alice")).status
}

/// Asks until this issuer's tokens are answered so.
pub(super) fn becomes(deteco: &Deteco, issuer: &Issuer, expected: u16) {
    eventually(&format!("{} is answered {expected}", issuer.kid), || {
        (status(deteco, issuer) == expected).then_some(())
    });
}

/// Waits until its only service has keys. No token is sent before: one that no key fits would cause a fetch,
/// and there is one of those a minute.
pub(super) fn loaded(deteco: &Deteco, issuer: &Issuer) {
    eventually("it has the keys", || (page(deteco.address, "/ready").status == 200).then_some(()));
    assert_eq!(status(deteco, issuer), 200);
}

#[test]
fn keys_of_a_url_let_their_tokens_in_through_nginx() {
    let (issuer, keys) = (Issuer::es256("published"), KeyServer::new());
    keys.publish(&[&issuer]);
    let site = Site::with(|_| by_url(&keys), |sample| sample);
    loaded(&site.deteco, &issuer);
    let fetched = keys.fetched();
    for _ in 0..50 {
        assert_eq!(site.get("/path1", &issuer.bearer("alice")).status, 200);
        assert_eq!(site.get("/path1", &Issuer::es256("published").bearer("alice")).status, 401);
    }
    assert_eq!(keys.fetched(), fetched, "no request causes a fetch");
}

#[test]
fn a_rotated_key_is_fetched_when_its_kid_is_unknown_and_once_a_minute() {
    let [old, new, newer] = ["k1", "k2", "k3"].map(Issuer::es256);
    let keys = KeyServer::new();
    keys.publish(&[&old]);
    let deteco = Deteco::start(&by_url(&keys), &[]);
    loaded(&deteco, &old);
    keys.publish(&[&old, &new]);
    let fetched = keys.fetched();
    becomes(&deteco, &new, 200);
    assert_eq!(keys.fetched(), fetched + 1);
    assert_eq!(status(&deteco, &old), 200, "the old one is still published");
    keys.publish(&[&newer]);
    for _ in 0..100 {
        assert_eq!(status(&deteco, &newer), 401);
    }
    assert_eq!(keys.fetched(), fetched + 1, "who invents kids causes no flood");
    assert_eq!(status(&deteco, &old), 200);
}

#[test]
fn a_key_that_is_published_no_more_stops_its_tokens_though_they_were_cached() {
    let [old, new] = ["k1", "k2"].map(Issuer::es256);
    let keys = KeyServer::new();
    keys.publish(&[&old]);
    let deteco = Deteco::start(&by_url(&keys), &[]);
    let cached = old.bearer("alice");
    loaded(&deteco, &old);
    assert_eq!(deteco.ask("/path1", &cached).status, 200);
    assert_eq!(deteco.ask("/path1", &cached).status, 200);
    keys.publish(&[&new]);
    becomes(&deteco, &new, 200); // its kid is unknown, and causes a fetch
    assert_eq!(deteco.ask("/path1", &cached).status, 401);
}

#[test]
fn a_key_set_in_a_file_is_read_again_when_it_changes() {
    let [old, new] = ["k1", "k2"].map(Issuer::es256);
    let scratch = Scratch::new();
    let file = scratch.write("jwks.json", jwk_set(&[&old]));
    let mut deteco = Deteco::start(&published(&format!("file = {file:?}")), &[]);
    loaded(&deteco, &old);
    scratch.write("jwks.json", jwk_set(&[&new]));
    deteco.process.signal(Signal::HUP);
    becomes(&deteco, &new, 200);
    assert_eq!(status(&deteco, &old), 401);
}

#[test]
fn keys_of_one_service_do_not_open_another() {
    let (issuer, other, keys) = (Issuer::es256("k1"), Issuer::es256("k2"), KeyServer::new());
    keys.publish(&[&issuer]);
    let deteco = Deteco::start(&(by_url(&keys) + &service("bob", &other, &["/path1"])), &[]);
    becomes(&deteco, &issuer, 200);
    assert_eq!(deteco.ask("/path1", &other.bearer("bob")).status, 200);
    assert_eq!(deteco.ask("/path1", &issuer.bearer("bob")).status, 401);
    assert_eq!(status(&deteco, &other), 401);
}

#[test]
fn keys_that_cannot_be_used_are_skipped_and_warned_about() {
    let issuer = Issuer::es256("k1");
    let mut set: serde_json::Value = serde_json::from_str(&jwk_set(&[&issuer])).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    let mut encryption = Issuer::es256("k2").jwk();
    encryption["use"] = "enc".into();
    keys.insert(0, encryption);
    keys.insert(0, json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k3"}));
    keys.insert(0, json!({"kty": "new", "kid": "k4"}));
    let set = set.to_string();
    let web = WebServer::answering(move |_| answer("200 OK", "Content-Type: application/json\r\n", &set));
    let deteco = Deteco::start(&published(&format!("url = {:?}", web.url("/jwks"))), &[]);
    loaded(&deteco, &issuer);
    assert!(
        deteco.process.events().iter().any(|event| event.level() == "warn"),
        "{}",
        deteco.process.stderr()
    );
}
