use std::time::UNIX_EPOCH;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::test;

/// 2026-11-21.
const T: u64 = 1_795_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.headers().keys().map(HeaderName::as_str).collect()
}

/// Of a request that sent headers of its own.
fn answer(outcome: &Outcome, rules: &Ruleset, method: &Method) -> Answer {
    let mut sent = HeaderMap::new();
    for name in ["authorization", "cache-control", "x-deteco-user", "connection", "content-length"] {
        sent.append(name, HeaderValue::from_static("7"));
        sent.append(name, HeaderValue::from_static("8"));
    }
    decided(outcome, rules, at(T), (method, sent))
}

#[test]
fn a_200_says_who_it_is_and_for_how_long_in_the_order_that_nginx_reads() {
    let identity = test::identity(T, T + 100);
    let mut rules = test::ruleset();
    let allowed = Ok(identity);
    let plain = answer(&allowed, &rules, &Method::GET);
    assert_eq!(
        (plain.status(), names(&plain)),
        (StatusCode::OK, vec!["x-deteco-user", "x-deteco-email", "cache-control"])
    );

    rules.accel_expires = Some(Duration::from_secs(60));
    let cached = answer(&allowed, &rules, &Method::GET);
    assert_eq!(names(&cached), ["x-accel-expires", "x-deteco-user", "x-deteco-email", "cache-control"]);
    assert_eq!(cached.headers()["x-accel-expires"], "60");
    assert_eq!(cached.headers()["cache-control"], "no-store");
    assert_eq!(cached.headers()["x-deteco-user"], test::SERVICE);
}

/// All that hyper writes for it, but for the date.
async fn written(outcome: &Outcome, rules: &Ruleset, method: &str) -> String {
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(format!("{method} / HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(outcome, rules, request.method());
        async { Ok::<_, std::convert::Infallible>(answer) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(near), service).await.unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

#[tokio::test]
async fn the_order_and_the_length_are_the_same_on_the_wire() {
    let mut rules = test::ruleset();
    rules.accel_expires = Some(Duration::from_secs(60));
    let allowed = "HTTP/1.1 200 OK\r\nx-accel-expires: 60\r\nx-deteco-user: report_batch\r\n\
                   x-deteco-email: batch@example.com\r\ncache-control: no-store\r\n";
    let refused = "HTTP/1.1 403 Forbidden\r\ncache-control: no-store\r\n";
    for (outcome, head) in [(Ok(test::identity(T, T + 100)), allowed), (Err(Reason::Path), refused)] {
        for method in ["GET", "HEAD", "POST"] {
            let text = written(&outcome, &rules, method).await;
            let rest = text.strip_prefix(head).unwrap_or_else(|| panic!("{method}: {text}"));
            let mut lines: Vec<_> = rest.split("\r\n").collect();
            lines.sort_unstable();
            assert_eq!(lines, ["", "", "connection: close", "content-length: 0"], "{method}: {text}");
        }
    }
}

#[test]
fn a_200_is_cached_no_longer_than_the_token_is_good() {
    let seconds = |number| Some(Duration::from_secs(number));
    for (cap, freshness, issued, expires, expected) in [
        (None, None, T, T + 100, None),
        (seconds(60), None, T, T + 100, Some("60")),
        (seconds(300), None, T, T + 100, Some("100")),
        (seconds(300), seconds(40), T, T + 100, Some("40")),
        (seconds(300), seconds(40), T - 30, T + 100, Some("10")),
        (seconds(300), seconds(40), T - 40, T + 100, None), // it lives by the leeway
        (seconds(300), seconds(40), T - 60, T + 100, None),
        (seconds(300), None, T - 60, T, None),
        (seconds(300), None, T - 60, T - 20, None),
        (seconds(0), None, T, T + 100, None),
        (Some(Duration::from_millis(999)), None, T, T + 100, None),
        (seconds(300), Some(Duration::MAX), T, T + 100, Some("100")),
    ] {
        let mut rules = test::ruleset();
        rules.accel_expires = cap;
        rules.policy.freshness = freshness;
        let answer = answer(&Ok(test::identity(issued, expires)), &rules, &Method::GET);
        let told = answer.headers().get("x-accel-expires").map(|value| value.to_str().unwrap());
        assert_eq!(told, expected, "{cap:?} {freshness:?} {issued} {expires}");
    }
}

/// The key's end is its owner's word too, and nginx would not hear of it.
#[test]
fn a_200_is_cached_no_longer_than_its_key_counts() {
    for (not_after, expected) in
        [(None, Some("60")), (Some(T + 20), Some("20")), (Some(T + 90), Some("60")), (Some(T), None)]
    {
        let mut rules = test::ruleset();
        rules.accel_expires = Some(Duration::from_secs(60));
        let identity = test::identity_of(T, T + 100, not_after.map(at));
        let answer = answer(&Ok(identity), &rules, &Method::GET);
        let told = answer.headers().get("x-accel-expires").map(|value| value.to_str().unwrap());
        assert_eq!(told, expected, "{not_after:?}");
    }
}

#[test]
fn a_refusal_gives_no_reason() {
    let (bare, again) = ("Bearer realm=\"deteco\"", "Bearer realm=\"deteco\", error=\"invalid_token\"");
    for (reason, status, challenge) in [
        (Reason::Token(Refused::NoAuthorization), 401, Some(bare)),
        (Reason::Token(Refused::Scheme), 401, Some(bare)),
        (Reason::Token(Refused::SeveralAuthorizations), 401, Some(again)),
        (Reason::Token(Refused::Signature), 401, Some(again)),
        (Reason::NoService, 401, Some(again)),
        (Reason::Denied, 401, Some(again)),
        (Reason::Path, 403, None),
        (Reason::NoUri, 403, None),
        (Reason::Scope, 403, None),
    ] {
        let mut rules = test::ruleset();
        rules.accel_expires = Some(Duration::from_secs(60));
        let answer = answer(&Err(reason), &rules, &Method::GET);
        assert_eq!(answer.status().as_u16(), status, "{reason:?}");
        let told = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(told, challenge, "{reason:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers().len(), 1 + usize::from(challenge.is_some()), "{reason:?}");
    }
}

#[test]
fn a_head_has_the_length_that_nginx_needs() {
    for outcome in [Ok(test::identity(T, T + 100)), Err(Reason::Path), Err(Reason::NoService)] {
        let of =
            |method| answer(&outcome, &test::ruleset(), &method).headers().get("content-length").cloned();
        assert_eq!(of(Method::HEAD).unwrap(), "0");
        assert_eq!(of(Method::GET), None, "hyper writes it");
    }
}
