//! Other rules and keys while requests come: none is lost, and what was taken away is gone at once.

use std::fs;
use std::thread;

use e2e::deteco::{service, service_with_kid};
use e2e::eventually::eventually;
use e2e::http::get as page;
use e2e::issuer::Issuer;
use e2e::process::Signal;

use super::{Site, get, under_load};

/// Asks until the status is this one.
fn becomes(site: &Site, path: &str, bearer: &str, status: u16) {
    eventually(&format!("{path} is answered {status}"), || {
        (site.get(path, bearer).status == status).then_some(())
    });
}

/// The rules of the n-th version: /path1, and a path of its own.
fn version(issuer: &Issuer, number: usize) -> String {
    service("alice", issuer, &["/path1", &format!("/v{number}")])
}

#[test]
fn a_reload_by_sighup_under_load_loses_no_request() {
    let mut site = Site::with(|issuer| version(issuer, 0), |sample| sample);
    let (address, alice) = (site.nginx.address, site.alice());
    let failures = under_load(address, &get("/path1", &alice), || {
        for number in 1..=5 {
            site.deteco.configure(&version(&site.issuer, number));
            site.deteco.process.signal(Signal::HUP);
            becomes(&site, &format!("/v{number}"), &alice, 200);
            assert_eq!(site.get(&format!("/v{}", number - 1), &alice).status, 403, "one version at a time");
        }
    });
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_reload_by_a_changed_file_under_load_loses_no_request() {
    let site = Site::with(|issuer| version(issuer, 0), |sample| sample);
    let alice = site.alice();
    let failures = under_load(site.nginx.address, &get("/path1", &alice), || {
        site.deteco.configure(&version(&site.issuer, 1));
        becomes(&site, "/v1", &alice, 200);
        let renamed = site.deteco.scratch().write("new", version(&site.issuer, 2));
        fs::rename(renamed, site.deteco.scratch().file("deteco.toml")).unwrap();
        becomes(&site, "/v2", &alice, 200);
    });
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_bad_file_keeps_the_old_rules_and_its_line_is_logged() {
    let mut site = Site::with(|issuer| version(issuer, 0), |sample| sample);
    let alice = site.alice();
    let good = version(&site.issuer, 1);
    let lines = good.lines().count();
    for (number, wrong) in
        ["no_such_key = 1", "[[services]", "[[services]]\nid = \"x\"\npaths = [\"/%2e\"]"].iter().enumerate()
    {
        let errors = |site: &Site| {
            let events = site.deteco.process.events();
            events.iter().filter(|event| event.level() == "error").count()
        };
        site.deteco.configure(&format!("{good}\n{}{wrong}\n", "\n".repeat(number)));
        site.deteco.process.signal(Signal::HUP);
        eventually("the bad file is complained about", || (errors(&site) > number).then_some(()));
        let line = lines + 2 + number;
        let places: Vec<String> = (line..line + 3).map(|line| format!("deteco.toml:{line}")).collect();
        let said = site.deteco.process.stderr();
        assert!(places.iter().any(|place| said.contains(place)), "{wrong}: {said}");
        assert_eq!(site.get("/v0", &alice).status, 200, "{wrong}");
        assert_eq!(site.get("/v1", &alice).status, 403, "{wrong}: not the good half of a bad file");
        assert_eq!(page(site.deteco.address, "/ready").status, 200, "{wrong}");
    }
    fs::remove_file(site.deteco.scratch().file("deteco.toml")).unwrap();
    site.deteco.process.signal(Signal::HUP);
    assert_eq!(site.get("/v0", &alice).status, 200);
    site.deteco.configure(&good);
    becomes(&site, "/v1", &alice, 200);
}

#[test]
fn a_removed_key_stops_its_tokens_though_they_were_cached_and_an_added_key_works() {
    let added = Issuer::es256("added");
    let mut site = Site::with(|issuer| service_with_kid("alice", issuer, &["/path1"]), |sample| sample);
    let (old, new) = (site.alice(), added.bearer("alice"));
    for _ in 0..3 {
        assert_eq!(site.get("/path1", &old).status, 200);
        assert_eq!(site.get("/path1", &new).status, 401);
    }
    let reload = |site: &mut Site, conf: String| {
        site.deteco.configure(&conf);
        site.deteco.process.signal(Signal::HUP);
    };
    let both = service_with_kid("alice", &site.issuer, &["/path1"]) + &e2e::deteco::key(&added);
    reload(&mut site, both);
    becomes(&site, "/path1", &new, 200);
    assert_eq!(site.get("/path1", &old).status, 200, "both keys count");
    reload(&mut site, service_with_kid("alice", &added, &["/path1"]));
    becomes(&site, "/path1", &old, 401);
    for _ in 0..20 {
        assert_eq!(site.get("/path1", &old).status, 401, "it stays away");
        assert_eq!(site.get("/path1", &new).status, 200);
    }
}

#[test]
fn a_removed_key_stays_away_while_it_is_used_from_many_threads() {
    // A decision that began with the old rules must not put its result into the cache of the new.
    let added = Issuer::es256("added");
    let mut site = Site::with(|issuer| service("alice", issuer, &["/path1"]), |sample| sample);
    let (nginx, old) = (site.nginx.address, site.alice());
    site.deteco.configure(&service("alice", &added, &["/path1"]));
    thread::scope(|scope| {
        let until_refused = || {
            let mut conversation = e2e::http::Conversation::with(nginx);
            eventually("it is refused", || {
                (conversation.ask(&get("/path1", &old)).status == 401).then_some(())
            });
            (0..200).filter(|_| conversation.ask(&get("/path1", &old)).status != 401).count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(until_refused)).collect();
        site.deteco.process.signal(Signal::HUP);
        let let_in: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(let_in, 0, "once refused, always refused");
    });
}

#[test]
fn a_key_file_that_changes_is_read_again() {
    let site = Site::with(|issuer| service_with_kid("alice", issuer, &["/path1"]), |sample| sample);
    let other = Issuer::es256("a");
    assert_eq!(site.get("/path1", &site.alice()).status, 200);
    fs::write(site.issuer.public(), other.public_pem()).unwrap();
    becomes(&site, "/path1", &other.bearer("alice"), 200);
    assert_eq!(site.get("/path1", &site.alice()).status, 401);
}
