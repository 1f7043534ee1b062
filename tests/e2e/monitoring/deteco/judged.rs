//! What the check says, and why.

use std::fmt::Write;
use std::net::TcpListener;
use std::process::Command;

use e2e::deteco::{service, service_with_kid};
use e2e::eventually::eventually;
use e2e::issuer::{Issuer, KeyServer};
use e2e::process::Signal;
use e2e::programs::output_of;
use e2e::status::StatusSocket;
use serde_json::json;

use super::{NAME, Watched, is};

impl Watched {
    /// Waits until the check ends with this status, and returns its line.
    fn judged(&self, level: i32) -> String {
        eventually(&format!("the check says {level}"), || {
            let (code, line) = self.status.health(NAME);
            (code == Some(level)).then_some(line)
        })
    }

    fn reload(&mut self, conf: &str) {
        self.deteco.configure(conf);
        self.deteco.process.signal(Signal::HUP);
    }
}

/// A time so many seconds from now, as TOML has it.
fn in_seconds(seconds: i64) -> String {
    let text = output_of(Command::new("date").args(["-u", "-d", &format!("{seconds} seconds"), "+%FT%TZ"]));
    text.trim_end().to_owned()
}

#[test]
fn all_is_well_in_always_the_same_words() {
    let issuer = Issuer::es256("a");
    let watched = Watched::start(&service("alice", &issuer, &["/path1"]));
    assert_eq!(watched.judged(0), "deteco OK: ready\n");
    assert_eq!(watched.deteco.ask("/path1", &issuer.bearer("alice")).status, 200);
    assert_eq!(watched.deteco.ask("/path1", "").status, 401);
    assert_eq!(watched.judged(0), "deteco OK: ready\n");
}

#[test]
fn a_bad_file_is_a_warning_until_it_is_mended() {
    let issuer = Issuer::es256("a");
    let good = service("alice", &issuer, &["/path1"]);
    let mut watched = Watched::start(&good);
    let hash = |watched: &Watched| watched.status.document()["metadata"]["configuration"].clone();
    let before = hash(&watched);
    watched.reload("[[services]");
    assert!(watched.judged(1).contains("reload failed"));
    watched.shows("deteco_config_reload_ok", 0.0);
    watched.shows("deteco_config_reloads_total{outcome=\"failed\"}", 1.0);
    assert_eq!(hash(&watched), before, "what is in force has not changed");
    watched.reload(&format!("{good}# mended\n"));
    assert_eq!(watched.judged(0), "deteco OK: ready\n");
    watched.shows("deteco_config_reload_ok", 1.0);
    assert_ne!(hash(&watched), before);
}

#[test]
fn a_deny_list_that_cannot_be_read_is_a_warning() {
    let issuer = Issuer::es256("a");
    let conf = service("alice", &issuer, &["/path1"]);
    let mut watched = Watched::start(&conf);
    watched.deteco.scratch().write("denied.txt", "sub bob\n");
    let conf = format!("deny_file = 'denied.txt'\n{conf}");
    watched.reload(&conf);
    watched.shows("deteco_config_reloads_total{outcome=\"succeeded\"}", 1.0);
    watched.deteco.scratch().write("denied.txt", "nobody\n");
    watched.reload(&conf);
    assert!(watched.judged(1).contains("the deny list is not reloaded"));
    watched.shows("deteco_deny_list_ok", 0.0);
}

#[test]
fn a_key_is_told_before_it_ends_and_when_it_has_ended() {
    let issuer = Issuer::es256("a");
    let ending = |seconds: i64| {
        let mut conf = service_with_kid("alice", &issuer, &["/path1"]);
        writeln!(conf, "not_after = {}", in_seconds(seconds)).unwrap();
        conf + &service("bob", &Issuer::es256("b"), &["/path2"])
    };
    let mut watched = Watched::start(&ending(20 * 86_400));
    assert_eq!(watched.judged(0), "deteco OK: ready\n");
    let left = watched.status.metric("deteco_first_key_end_seconds") / 86_400.0;
    assert!((left - 20.0).abs() < 0.01, "{left} days");
    watched.reload(&ending(10 * 86_400));
    let line = watched.judged(1);
    assert!(line.contains("a key of \"alice\" ends on "), "{line}");
    watched.reload(&ending(-60));
    let line = watched.judged(2);
    assert!(line.contains("\"alice\" has no key that counts now"), "{line}");
    let document = watched.status.document();
    assert_eq!((&document["ready"], &document["keys"]["inactive"]), (&json!(true), &json!(1)), "bob has one");
    watched.shows("deteco_keys", 2.0);
    watched.shows("deteco_keys_inactive", 1.0);
}

#[test]
fn a_jwk_set_that_cannot_be_fetched_is_told() {
    let (issuer, keys) = (Issuer::es256("a"), KeyServer::new());
    let conf = format!(
        "[[services]]\nid = \"alice\"\npaths = [\"/path1\"]\n[services.jwks]\nurl = {:?}\n",
        keys.url()
    );
    let mut watched = Watched::start(&conf);
    let line = watched.judged(2);
    assert!(line.contains("not ready: no-keys"), "{line}");
    assert_eq!(watched.status.get("/ready"), (503, "no-keys\n".to_owned()));
    watched.shows("deteco_jwks", 1.0);
    watched.shows("deteco_jwks_failing", 1.0);
    watched.shows("deteco_jwks_without_keys", 1.0);
    assert!(watched.status.metric("deteco_jwks_fetches_total{outcome=\"failed\"}") >= 1.0);
    keys.publish(&[&issuer]);
    assert_eq!(watched.judged(0), "deteco OK: ready\n");
    watched.shows("deteco_jwks_failing", 0.0);
    watched.shows("deteco_jwks_without_keys", 0.0);
    watched.shows("deteco_keys", 1.0);
    assert!(watched.status.metric("deteco_jwks_age_seconds") < 60.0);
    let succeeded = || watched.status.metric("deteco_jwks_fetches_total{outcome=\"succeeded\"}");
    assert!(is(succeeded(), 1.0), "{}", succeeded());
    keys.fail();
    watched.reload(&conf); // it is fetched again
    let line = watched.judged(1);
    assert!(line.contains("the JWK set of \"alice\" cannot be fetched from http://127.0.0.1:"), "{line}");
    let set = watched.status.document()["jwks"][0].clone();
    assert_eq!((&set["service"], &set["keys"]), (&json!("alice"), &json!(1)), "the old keys stay");
    assert!(set["error"].as_str().unwrap().contains("503"), "{set}");
}

#[test]
fn services_are_listed_when_asked_for_and_without_secrets() {
    let issuer = Issuer::es256("a");
    let watched = Watched::start(&service("alice", &issuer, &["/path1"]));
    let bearer = issuer.bearer("alice");
    assert_eq!(watched.deteco.ask("/path1", &bearer).status, 200);
    let (_, text) = watched.status.get("/status?sessions=1");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let alice = &document["service_list"][0];
    assert_eq!((&alice["id"], &alice["keys"], &alice["active"]), (&json!("alice"), &json!(1), &json!(1)));
    assert!(!text.contains(bearer.rsplit('.').next().unwrap()) && !text.contains("BEGIN"), "{text}");
    assert!(watched.status.document().get("service_list").is_none());
}

#[test]
fn who_is_none_of_these_programs_is_unknown() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, line) = StatusSocket::at(silent.local_addr().unwrap().to_string()).health(NAME);
    assert_eq!(code, Some(3), "{line}");
    assert!(line.starts_with("deteco UNKNOWN: "), "{line}");
    let watched = Watched::start(&service("alice", &Issuer::es256("a"), &["/path1"]));
    let public = StatusSocket::at(watched.deteco.address.to_string());
    assert_eq!(public.health(NAME).0, Some(3), "it does not tell there");
}
