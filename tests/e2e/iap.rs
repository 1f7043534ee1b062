//! Google's Identity-Aware Proxy in front: its assertion is verified, and nothing else is believed.

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::fake_iap::{ASSERTION, FakeIap};
use e2e::http::{Request, Response, get};
use e2e::issuer::{Issuer, KeyServer, NewKey, claims, jwk_set, now};
use e2e::process::Signal;
use e2e::programs::{Client, Gateway};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;
use serde_json::{Value, json};

const AUDIENCE: &str = "/projects/1234/global/backendServices/5678";
const ISSUER: &str = "https://cloud.google.com/iap";

/// What IAP says of this user, with changes.
fn says(email: &str, changes: Value) -> Value {
    let mut claims = claims("accounts.google.com:117", json!({"iss": ISSUER, "aud": AUDIENCE}));
    claims["email"] = email.into();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A gateway that believes the keys of this server, once it is ready.
fn gateway(keys: &KeyServer, map: &str, flags: &[&str]) -> Gateway {
    let url = keys.url();
    let flags = [&["--iap-audience", AUDIENCE, "--iap-jwks", &url], flags].concat();
    ready(Gateway::start(map, &flags))
}

fn ready(gateway: Gateway) -> Gateway {
    eventually("it has the keys", || (get(gateway.address, "/ready").status == 200).then_some(()));
    gateway
}

fn present(gateway: &Gateway, assertion: &str) -> Result<WebSocket, Response> {
    WebSocket::try_open(gateway.address, &Request::upgrade("/proxy/db").with(ASSERTION, assertion))
}

fn user_of_the_last_tunnel(gateway: &Gateway) -> Option<String> {
    let closed = eventually("the end is logged", || gateway.process.events_of("tunnel closed").pop());
    closed.text("user")
}

#[test]
fn iap_audience_lets_in_whom_the_proxy_has_signed_for() {
    let destination = Destination::echo();
    let (google, keys) = (Issuer::es256("g1"), KeyServer::new());
    keys.publish(&[&google]);
    let flags = ["--iap-audience", "/projects/1234/apps/another"];
    let gateway = gateway(&keys, &destination.map("db"), &flags);
    let other = google.token(&says("bob@example.com", json!({"aud": "/projects/1234/apps/another"})));
    assert!(present(&gateway, &other).is_ok(), "each of the audiences counts");
    eventually("bob is gone", || (gateway.process.events_of("tunnel closed").len() == 1).then_some(()));
    let iap = FakeIap::before(gateway.address, move || google.token(&says("alice@example.com", json!({}))));
    let client = Client::start(&iap.url("db"), &[]);
    super::client_flags::echo_through(&client);
    eventually("alice is gone", || (gateway.process.events_of("tunnel closed").len() == 2).then_some(()));
    assert_eq!(user_of_the_last_tunnel(&gateway).as_deref(), Some("alice@example.com"));
}

#[test]
fn forged_x_goog_headers_are_401_and_nothing_is_dialled() {
    let destination = Destination::echo();
    let (google, mallory, keys) = (Issuer::es256("g1"), Issuer::es256("g1"), KeyServer::new());
    let rsa = Issuer::new(NewKey::Rsa2048, "r1");
    keys.publish(&[&google, &rsa]);
    let gateway = gateway(&keys, &destination.map("db"), &[]);
    let email = "alice@example.com";
    let good = google.token(&says(email, json!({})));
    let (head, _) = good.rsplit_once('.').unwrap();
    for (what, assertion) in [
        ("of another key with the same kid", mallory.token(&says(email, json!({})))),
        ("of another algorithm", rsa.token(&says(email, json!({})))),
        ("unsigned", format!("{head}.")),
        ("for somebody else", google.token(&says(email, json!({"aud": "/projects/1/apps/x"})))),
        ("for a longer audience", google.token(&says(email, json!({"aud": format!("{AUDIENCE}9")})))),
        ("without an audience", google.token(&says(email, json!({"aud": null})))),
        ("of another issuer", google.token(&says(email, json!({"iss": "https://accounts.google.com"})))),
        ("without an issuer", google.token(&says(email, json!({"iss": null})))),
        ("expired", google.token(&says(email, json!({"iat": now() - 700, "exp": now() - 100})))),
        ("from the future", google.token(&says(email, json!({"iat": now() + 100, "exp": now() + 200})))),
        ("without an e-mail", google.token(&says(email, json!({"email": null})))),
        ("without a known kid", google.anonymous_token(&says(email, json!({"aud": "x"})))),
        ("that is garbage", "garbage".to_owned()),
        ("that is empty", String::new()),
    ] {
        let answer = present(&gateway, &assertion).err();
        let answer = answer.unwrap_or_else(|| panic!("an assertion {what} was let in"));
        assert_eq!((answer.status, answer.refusal()), (401, "credential"), "{what}: {answer:?}");
    }
    let plain = Request::upgrade("/proxy/db");
    for (what, request) in [
        ("nothing", plain.clone()),
        ("two assertions", plain.clone().and(ASSERTION, &good).and(ASSERTION, &good)),
        ("a bearer instead", plain.clone().with("Authorization", &format!("Bearer {good}"))),
        (
            "the headers that are not signed",
            plain
                .with("X-Goog-Authenticated-User-Email", "accounts.google.com:alice@example.com")
                .with("X-Goog-Authenticated-User-Id", "accounts.google.com:117"),
        ),
    ] {
        let answer = request.ask(gateway.address);
        assert_eq!((answer.status, answer.refusal()), (401, "credential"), "{what}: {answer:?}");
    }
    assert_eq!(destination.dialled(), 0);
    assert!(present(&gateway, &good).is_ok(), "the good one is good");
}

#[test]
fn a_client_that_forges_headers_is_still_who_the_proxy_says() {
    let destination = Destination::echo();
    let (google, keys) = (Issuer::es256("g1"), KeyServer::new());
    keys.publish(&[&google]);
    let gateway = gateway(&keys, &destination.map("db"), &[]);
    let iap = FakeIap::before(gateway.address, move || google.token(&says("bob@example.com", json!({}))));
    let request = Request::upgrade("/proxy/db")
        .with("X-Goog-IAP-JWT-Assertion", "a.b.c")
        .with("X-Goog-Authenticated-User-Email", "accounts.google.com:alice@example.com");
    drop(WebSocket::try_open(iap.address(), &request).unwrap());
    assert_eq!(user_of_the_last_tunnel(&gateway).as_deref(), Some("bob@example.com"));
}

#[test]
fn a_rotated_key_is_fetched_when_its_kid_is_unknown_and_once_a_minute() {
    let destination = Destination::echo();
    let [old, new, newer] = ["g1", "g2", "g3"].map(Issuer::es256);
    let keys = KeyServer::new();
    keys.publish(&[&old]);
    let gateway = gateway(&keys, &destination.map("db"), &[]);
    let sign = |issuer: &Issuer| issuer.token(&says("alice@example.com", json!({})));
    assert!(present(&gateway, &sign(&old)).is_ok());
    keys.publish(&[&old, &new]);
    let fetched = keys.fetched();
    eventually("the new key is fetched", || present(&gateway, &sign(&new)).ok());
    assert_eq!(keys.fetched(), fetched + 1);
    assert!(present(&gateway, &sign(&old)).is_ok(), "the old one is still published");
    keys.publish(&[&newer]);
    for _ in 0..100 {
        assert!(present(&gateway, &sign(&newer)).is_err());
    }
    assert_eq!(keys.fetched(), fetched + 1, "who invents kids causes no flood");
    assert!(present(&gateway, &sign(&old)).is_ok());
}

#[test]
fn until_the_first_keys_upgrades_are_503_and_the_gateway_is_not_ready() {
    let destination = Destination::echo();
    let (google, keys) = (Issuer::es256("g1"), KeyServer::new());
    let url = keys.url();
    let flags = ["--iap-audience", AUDIENCE, "--iap-jwks", &url];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let good = || google.token(&says("alice@example.com", json!({})));
    assert_eq!(get(gateway.address, "/ready").status, 503);
    assert_eq!(get(gateway.address, "/live").status, 200);
    assert_eq!(present(&gateway, &good()).err().map(|answer| answer.status), Some(503));
    keys.spoil();
    let fetched = keys.fetched();
    eventually("it tries again", || (keys.fetched() > fetched).then_some(()));
    assert_eq!(present(&gateway, &good()).err().map(|answer| answer.status), Some(503), "garbage is no set");
    assert_eq!(destination.dialled(), 0);
    keys.publish(&[&google]);
    let gateway = ready(gateway);
    assert!(present(&gateway, &good()).is_ok());
}

#[test]
fn an_outage_and_garbage_keep_the_old_keys() {
    let destination = Destination::echo();
    let [old, new] = ["g1", "g2"].map(Issuer::es256);
    let keys = KeyServer::new();
    keys.publish(&[&old]);
    let mut gateway = gateway(&keys, &destination.map("db"), &[]);
    let sign = |issuer: &Issuer| issuer.token(&says("alice@example.com", json!({})));
    for spoil in [KeyServer::fail, KeyServer::spoil] {
        spoil(&keys);
        let fetched = keys.fetched();
        assert!(present(&gateway, &sign(&new)).is_err());
        gateway.process.signal(Signal::HUP); // fetches again at once
        eventually("it is fetched again", || (keys.fetched() > fetched).then_some(()));
        assert!(present(&gateway, &sign(&old)).is_ok());
        assert_eq!(get(gateway.address, "/ready").status, 200);
    }
}

#[test]
fn iap_jwks_may_be_a_file() {
    let destination = Destination::echo();
    let (google, scratch) = (Issuer::es256("g1"), Scratch::new());
    let file = scratch.write("jwks.json", jwk_set(&[&google]));
    let flags = ["--iap-audience", AUDIENCE, "--iap-jwks", &file];
    let gateway = ready(Gateway::start(&destination.map("db"), &flags));
    assert!(present(&gateway, &google.token(&says("alice@example.com", json!({})))).is_ok());
}

#[test]
fn iap_and_key_must_both_verify_and_belong_together() {
    let destination = Destination::echo();
    let (google, issuer, keys) = (Issuer::es256("g1"), Issuer::es256("k1"), KeyServer::new());
    keys.publish(&[&google]);
    let start = |more: &str| {
        let config = format!(
            "public_key = [{:?}]
iap_audience = [{AUDIENCE:?}]
iap_jwks = {:?}
{more}
[[destination]]
name = \"db\"
upstream = \"{}\"
",
            issuer.public(),
            keys.url(),
            destination.address
        );
        ready(Gateway::configured(&config, &[]))
    };
    let equal = start("");
    let paired = start("[[user]]\nemail = \"alice@example.com\"\nsubjects = [\"alice\", \"batch-*\"]");
    let any = start("pairing = \"any\"");
    for (email, subject, allowed) in [
        ("alice@example.com", "alice@example.com", [true, false, true]),
        ("alice@example.com", "alice", [false, true, true]),
        ("alice@example.com", "batch-9", [false, true, true]),
        ("alice@example.com", "bob", [false, false, true]),
        ("bob@example.com", "alice", [false, false, true]),
        ("bob@example.com", "bob@example.com", [true, true, true]),
    ] {
        for (gateway, allowed) in [&equal, &paired, &any].into_iter().zip(allowed) {
            let request = Request::upgrade("/proxy/db")
                .with(ASSERTION, &google.token(&says(email, json!({}))))
                .with("Authorization", &issuer.bearer(subject));
            let answer = WebSocket::try_open(gateway.address, &request).map(drop);
            assert_eq!(answer.is_ok(), allowed, "{email} with {subject}: {answer:?}");
        }
    }
    for request in [
        Request::upgrade("/proxy/db").with(ASSERTION, &google.token(&says("a@example.com", json!({})))),
        Request::upgrade("/proxy/db").with("Authorization", &issuer.bearer("a@example.com")),
    ] {
        let answer = request.ask(any.address);
        assert_eq!((answer.status, answer.refusal()), (401, "credential"), "one alone: {answer:?}");
    }
}

#[test]
fn a_bare_pattern_is_on_the_e_mail_behind_iap() {
    let destination = Destination::echo();
    let (google, keys) = (Issuer::es256("g1"), KeyServer::new());
    keys.publish(&[&google]);
    let config = format!(
        "iap_audience = [{AUDIENCE:?}]
iap_jwks = {:?}
[[destination]]
name = \"db\"
upstream = \"{}\"
allow = [\"*@example.com\"]
",
        keys.url(),
        destination.address
    );
    let gateway = ready(Gateway::configured(&config, &[]));
    for (email, allowed) in [
        ("alice@example.com", true),
        ("alice@example.com.evil.test", false),
        ("alice@evil-example.com", false),
    ] {
        let answer = present(&gateway, &google.token(&says(email, json!({})))).map(drop);
        assert_eq!(answer.is_ok(), allowed, "{email}: {answer:?}");
    }
}

#[test]
fn iap_jwks_is_fetched_in_the_clear_from_loopback_only() {
    let mut command = std::process::Command::new(e2e::programs::program("wsgate-server"));
    command.args(["--listen", "127.0.0.1:0", "--iap-audience", AUDIENCE]);
    command.args(["--iap-jwks", "http://192.0.2.1/jwks"]);
    let mut process = e2e::process::Process::spawn("wsgate-server", &mut command);
    let status = process.wait(std::time::Duration::from_secs(10));
    assert_eq!(status.code(), Some(2), "{}", process.stderr());
    assert!(process.stderr().contains("write https://"), "{}", process.stderr());
}
