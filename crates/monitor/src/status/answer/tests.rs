use std::sync::Arc;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::sample::Sample;
use crate::status::{Reload, Report};

struct Fake {
    unready: Option<&'static str>,
}

impl Report for Fake {
    fn unready(&self) -> Option<&'static str> {
        self.unready
    }

    fn status(&self, question: Question) -> Value {
        json!({ "backends": [{ "name": "a" }], "listed": question.sessions, "pid": "its own" })
    }

    fn reload(&self) -> Option<Reload> {
        Some(Reload { succeeded: 1, failed: 2, stale: true })
    }
}

fn status(unready: Option<&'static str>) -> Status {
    Status::new(Arc::new(Sample::new().registry), Fake { unready }, CancellationToken::new())
}

fn plain() -> Hosts {
    Hosts::of(None, false)
}

async fn asked(status: &Status, request: Request<()>) -> (u16, HeaderMap, String) {
    let (head, body) = answer(&request, status, &plain()).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<()> {
    Request::get(path).header("host", "127.0.0.1:1").body(()).unwrap()
}

#[tokio::test]
async fn every_path_has_its_answer() {
    let status = status(None);
    for (path, code, kind, part) in [
        ("/live", 200, "text/plain; charset=utf-8", "ok\n"),
        ("/ready", 200, "text/plain; charset=utf-8", "ready\n"),
        (
            "/metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "sample_gate_build_info{version=\"1.2.3\"} 1\n",
        ),
        ("/mackerel", 200, "text/plain; charset=utf-8", "sample-gate.sessions.open\t0\t"),
        ("/mackerel?instance=x%2F&all=1", 200, "text/plain; charset=utf-8", "x_2F.sessions.open\t0\t"),
        ("/mackerel?instance=", 200, "text/plain; charset=utf-8", "sample-gate.sessions.open\t0\t"),
        ("/mackerel?meta=1&all=1", 200, "application/json", "sample-gate.refused"),
        ("/status", 200, "application/json", "\"listed\":false"),
        ("/status?sessions=1", 200, "application/json", "\"listed\":true"),
        ("/status?brief=1", 200, "application/json", "\"ready\":true"),
        ("/status?sessions=0", 200, "application/json", "\"listed\":false"),
        ("/", 200, "text/html; charset=utf-8", "<!doctype html>"),
        ("/favicon.ico", 404, "text/plain; charset=utf-8", "there are"),
        ("/status/", 404, "text/plain; charset=utf-8", "there are"),
    ] {
        let (is_code, headers, body) = asked(&status, get(path)).await;
        assert_eq!((is_code, &headers["content-type"].to_str().unwrap()), (code, &kind), "{path}");
        assert!(body.contains(part), "{path}: {body}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn who_is_not_ready_says_why() {
    for (unready, draining, expected) in [
        (Some("no-keys"), false, "no-keys\n"),
        (None, true, "draining\n"),
        (Some("no-keys"), true, "draining\n"),
    ] {
        let status = status(unready);
        if draining {
            status.draining.cancel();
        }
        let (code, _, body) = asked(&status, get("/ready")).await;
        assert_eq!((code, body.as_str()), (503, expected));
        assert_eq!(asked(&status, get("/live")).await.0, 200);
    }
}

#[tokio::test]
async fn the_document_has_the_common_part_and_the_programs_wins() {
    let (_, _, body) = asked(&status(None), get("/status")).await;
    let document: Value = serde_json::from_str(&body).unwrap();
    for (field, expected) in [
        ("program", json!("sample-gate")),
        ("version", json!("1.2.3")),
        ("pid", json!("its own")),
        ("ready", json!(true)),
        ("reason", Value::Null),
        ("draining", json!(false)),
        ("limits", Value::Null),
        ("reload", json!({ "succeeded": 1, "failed": 2, "stale": true })),
        ("critical", json!([])),
        ("metadata", json!({ "program": "sample-gate", "version": "1.2.3" })),
        ("backends", json!([{ "name": "a" }])),
    ] {
        assert_eq!(document[field], expected, "{field}");
    }
    assert!(document["warnings"][0].as_str().unwrap().contains("reload failed"));
    let now = document["now"].as_array().unwrap();
    assert_eq!(now[0]["label"], "open now");
    assert_eq!(now.last().unwrap()["unit"], "bytes");
}

#[tokio::test]
async fn a_brief_document_does_not_grow() {
    let (_, _, body) = asked(&status(None), get("/status?brief=1")).await;
    let document: Value = serde_json::from_str(&body).unwrap();
    let fields: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(fields.contains(&"program") && fields.contains(&"warnings"), "{fields:?}");
    for grows in ["now", "metadata", "backends"] {
        assert!(!fields.contains(&grows), "{fields:?}");
    }
}

#[test]
fn facts_of_which_there_are_many_are_the_first_thousand() {
    for (all, first) in [(0, 0), (1000, 1000), (40_000, 1000)] {
        let [(name, list), (total_name, total)] =
            crate::listed("destinations", (0..all).map(|n| format!("db-{n}")));
        assert_eq!((name.as_str(), total_name.as_str()), ("destinations", "destinations_total"));
        assert_eq!((list.as_array().unwrap().len(), total), (first, json!(all)));
    }
}

#[tokio::test]
async fn only_reading_and_only_for_us() {
    let status = status(None);
    for (method, host, code) in [
        ("GET", "localhost", 200),
        ("HEAD", "localhost", 200),
        ("POST", "localhost", 405),
        ("DELETE", "localhost", 405),
        ("GET", "evil.example", 421),
    ] {
        let request = Request::builder().method(method).uri("/status").header("host", host).body(()).unwrap();
        assert_eq!(asked(&status, request).await.0, code, "{method} {host}");
    }
    let open = Request::get("/metrics").header("accept", "application/openmetrics-text").body(()).unwrap();
    let (_, headers, body) = asked(&status, open).await;
    assert!(
        headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(body.ends_with("# EOF\n"));
}
