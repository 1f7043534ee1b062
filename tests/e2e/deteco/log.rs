//! What is logged: each refusal once, nobody's query and nobody's token.

use std::collections::BTreeSet;

use e2e::eventually::eventually;
use e2e::http::Conversation;
use serde_json::Value;

use super::{Site, get};

/// The decision lines once there are so many.
fn decisions(site: &Site, count: usize) -> Vec<e2e::process::Event> {
    eventually(&format!("{count} decisions are logged"), || {
        let decisions = site.deteco.decisions();
        (decisions.len() >= count).then_some(decisions)
    })
}

#[test]
fn a_decision_is_one_line_with_its_fields() {
    let site = Site::new();
    let alice = site.alice();
    assert_eq!(site.get("/path1/x?month=7", &alice).status, 200);
    assert_eq!(site.get("/secret/x?month=7", &alice).status, 403);
    assert_eq!(site.get("/path1/x?month=7", "").status, 401);
    let all = decisions(&site, 3);
    let text = |number: usize, field: &str| all[number].text(field).unwrap_or_default();
    for (number, status, path) in [(0, "200", "/path1/x"), (1, "403", "/secret/x")] {
        let told = ["status", "service", "kid", "client", "method", "path"].map(|field| text(number, field));
        assert_eq!(told[..2], [status, "alice"]);
        assert_eq!(told[3..], ["127.0.0.1", "GET", path]);
        assert!(!text(number, "token").is_empty(), "a hash of the token tells tokens apart");
        assert!(text(number, "ptime").parse::<f64>().is_ok(), "{:?}", all[number]);
    }
    assert_eq!(text(0, "token"), text(1, "token"), "the same token looks the same");
    assert_eq!((text(1, "reason").as_str(), text(2, "reason").as_str()), ("path", "no_authorization"));
    assert_eq!((text(2, "status").as_str(), text(2, "path").as_str()), ("401", "/path1/x"));
}

#[test]
fn a_thousand_refusals_are_a_thousand_lines_without_query_and_token() {
    let site = Site::new();
    let mut conversation = Conversation::with(site.nginx.address);
    let (alice, nobody) = (site.alice(), site.issuer.bearer("nobody"));
    let forged = alice.rsplit_once('.').unwrap().0.to_owned() + ".c2lnbmF0dXJl";
    for number in 0..1_000 {
        let (path, bearer, status) = match number % 4 {
            0 => ("secret", &alice, 403),
            1 => ("path1", &nobody, 401),
            2 => ("path1", &forged, 401),
            _ => ("path1/..", &alice, 403),
        };
        let answer = conversation.ask(&get(&format!("/{path}/{number}?q=QUERY{number}"), bearer));
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(site.get("/path1/ok?q=QUERY", &alice).status, 200);
    let all = decisions(&site, 1_001);
    assert_eq!(all.len(), 1_001, "one line each");
    let paths: BTreeSet<String> = all
        .iter()
        .filter(|d| d.text("reason").as_deref() == Some("path"))
        .filter_map(|d| d.text("path"))
        .collect();
    assert_eq!(paths.len(), 250, "each of them tells its path");
    let said = site.deteco.process.stderr() + &site.deteco.process.stdout();
    assert!(!said.contains("QUERY"), "no query");
    for bearer in [&alice, &nobody, &forged] {
        for part in bearer.trim_start_matches("Bearer ").split('.') {
            assert!(!said.contains(part), "no part of a token");
            assert!(!said.contains(&part[part.len() - 12..]), "nor the end of one");
        }
    }
}

#[test]
fn nothing_that_a_client_sends_breaks_a_line() {
    let site = Site::new();
    let nasty = [
        "/path1/%0a{\"message\":\"decision\"}",
        "/path1/%0d%0aroot",
        "/path1/%22,%22status%22:200,%22x%22:%22",
        "/path1/%1b[31mred",
        "/path1/%e2%80%a8line",
        "/path1/%ff%fe",
        "/path1/\"quoted\"",
        "/path1/%00",
    ];
    for path in nasty {
        site.get(path, &site.alice());
        site.get(path, "Bearer \"\\\u{1b}");
        let line = format!("EVIL\"%0a {path} HTTP/1.1");
        get(path, &site.alice()).line(&line).with("Connection", "close").ask(site.nginx.address);
    }
    let request = e2e::deteco::question("/path1", &site.alice());
    for value in ["\"", "\\", "\u{1b}[31m", "GET\u{9}x", "\u{e9}"] {
        let request = request.clone().with("X-Original-Method", value).with("X-Real-IP", value);
        request.with("X-Deteco-Scope", value).with("Connection", "close").ask(site.deteco.address);
    }
    decisions(&site, 5);
    for line in site.deteco.process.stderr().lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(matches!(parsed, Ok(Value::Object(_))), "{line:?}");
        assert!(line.chars().all(|char| !char.is_control()), "{line:?}");
    }
}
