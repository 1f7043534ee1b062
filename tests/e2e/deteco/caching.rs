//! `proxy_cache` in the location that asks: deteco's answers are not kept, unless it is told to let nginx.

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::deteco::service;
use e2e::eventually::eventually;
use e2e::http::Request;
use e2e::issuer::{Issuer, claims};
use e2e::nginx::Sample;
use e2e::process::Event;
use serde_json::json;

use super::{Site, get, scoped};

/// nginx keeps what it may keep, under this key.
fn caching(sample: Sample, key: &str) -> Sample {
    sample
        .before("proxy_cache_path cache keys_zone=deteco:1m;")
        .asking_with(&format!("proxy_cache deteco; proxy_cache_valid any 1m; proxy_cache_key {key};"))
        .serving(&scoped("/path1/chosen/", "$http_x_chosen"))
}

fn conf(issuer: &Issuer) -> String {
    let scopes = service("bob", issuer, &["/path1"]).replace("paths =", "scopes = [\"reports\"]\npaths =");
    service("alice", issuer, &["/path1"]) + &scopes
}

#[test]
fn an_answer_is_not_kept_for_those_who_have_no_token() {
    for key in ["$request_uri", "constant", "$uri$args"] {
        let site = Site::with(conf, |sample| caching(sample, key));
        for _ in 0..2 {
            assert_eq!(site.get("/path1/x", &site.alice()).status, 200, "{key}");
            assert_eq!(site.get("/path1/x", "").status, 401, "{key}: nobody is let in by a kept 200");
            assert_eq!(site.get("/path1/x", &site.alice()).status, 200, "{key}: nor kept out by a kept 401");
            assert_eq!(site.get("/secret/x", &site.alice()).status, 403, "{key}");
        }
    }
}

/// A site whose nginx keeps answers by token, method, URI and scope.
fn keeping(expires: &str) -> Site {
    let key = "\"$deteco_scope $request_method $request_uri $http_authorization\"";
    Site::with(
        |issuer| format!("accel_expires = \"{expires}\"\n{}", conf(issuer)),
        |sample| caching(sample, key),
    )
}

/// How many decisions this request costs, and its status.
fn costs(site: &Site, request: &Request) -> (u16, usize) {
    let before = decided(site);
    let status = request.ask(site.nginx.address).status;
    (status, decided(site) - before)
}

/// The decisions so far, of every request that was answered: a line of our own comes out after theirs.
fn decided(site: &Site) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("/mark/{}", NEXT.fetch_add(1, Ordering::Relaxed));
    assert_eq!(site.deteco.ask(&mark, &site.issuer.bearer("alice")).status, 403);
    let path = |event: &Event| event.text("path").unwrap_or_default();
    eventually("the mark is logged", || {
        let decisions = site.deteco.decisions();
        decisions.iter().any(|event| path(event) == mark).then_some(())?;
        Some(decisions.iter().filter(|event| !path(event).starts_with("/mark/")).count())
    })
}

#[test]
fn accel_expires_lets_nginx_keep_an_answer_for_the_same_request_alone() {
    let site = keeping("30s");
    let [alice, bob] = ["alice", "bob"].map(|name| site.issuer.bearer(name));
    let mut another = site.issuer.token(&claims("alice", json!({"jti": "another"})));
    another.insert_str(0, "Bearer ");
    let first = get("/path1/x", &alice).with("Connection", "close");
    assert_eq!(costs(&site, &first), (200, 1));
    for _ in 0..3 {
        assert_eq!(costs(&site, &first), (200, 0), "it is kept");
    }
    for (what, request) in [
        ("token", get("/path1/x", &another)),
        ("method", first.clone().line("POST /path1/x HTTP/1.1")),
        ("URI", get("/path1/y", &alice)),
        ("query", get("/path1/x?y", &alice)),
    ] {
        assert_eq!(costs(&site, &request), (200, 1), "another {what} is asked for");
    }
    // The location declares what a header says: so the scope alone is another.
    let in_scope = |scope| get("/path1/chosen/x", &bob).with("X-Chosen", scope);
    assert_eq!(costs(&site, &in_scope("reports")), (200, 1));
    assert_eq!(costs(&site, &in_scope("reports")), (200, 0));
    assert_eq!(costs(&site, &in_scope("mail")), (403, 1), "another scope is asked for");
    assert_eq!(costs(&site, &get("/path1/chosen/x", &bob)), (403, 1), "and none is");
    assert_eq!(costs(&site, &get("/path1/x", "")).0, 401);
    assert_eq!(costs(&site, &get("/path1/x", "Bearer a.b.c")).0, 401);
}

#[test]
fn accel_expires_keeps_neither_401_nor_403() {
    let site = keeping("30s");
    let alice = site.alice();
    for (request, status) in
        [(get("/secret", &alice), 403), (get("/path1", "Bearer a.b.c"), 401), (get("/path1", ""), 401)]
    {
        for _ in 0..2 {
            assert_eq!(costs(&site, &request), (status, 1));
        }
    }
}

#[test]
fn accel_expires_never_outlives_the_token_or_its_cap() {
    let site = keeping("30s");
    let seconds = |changes| {
        let token = site.issuer.token(&claims("alice", changes));
        let answer = site.deteco.ask("/path1/x", &format!("Bearer {token}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("X-Accel-Expires").unwrap_or("0").parse::<u64>().unwrap()
    };
    let now = e2e::issuer::now;
    assert!((20..=30).contains(&seconds(json!({}))), "the cap");
    assert!(seconds(json!({"exp": now() + 10})) <= 10, "exp");
    assert!(seconds(json!({"iat": now() - 3590})) <= 10, "the freshness of an hour");
}
