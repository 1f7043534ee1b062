//! The configuration that README.md shows, as it stands there.

use std::io::{BufReader, Write};

use e2e::application::received;
use e2e::http::Response;
use e2e::issuer::{Issuer, claims};
use e2e::nginx::readme_block;
use e2e::programs::connect;
use serde_json::json;

use super::{Site, get};

/// README.md's deteco.toml with a real key in place of the one that is left out.
fn conf(issuer: &Issuer) -> String {
    let block = readme_block("toml", "[[services]]");
    let pem = issuer.public_pem();
    let inner: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    assert_eq!(block.matches("\n…\n").count(), 1, "the key is left out of the sample: {block}");
    block.replace("\n…\n", &format!("\n{}\n", inner.join("\n")))
}

fn readme() -> Site {
    Site::with(conf, |sample| sample)
}

#[test]
fn readme_sample_lets_a_good_token_in_and_says_who_it_is() {
    let site = readme();
    let token = site.issuer.token(&claims("report_batch", json!({"email": "batch@example.com"})));
    let answer = site.get("/api/reports/2026?month=7", &format!("Bearer {token}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.starts_with("GET /api/reports/2026?month=7 HTTP/1.1\n"), "{answer:?}");
    assert_eq!(received(&answer, "X-Deteco-User"), ["report_batch"]);
    assert_eq!(received(&answer, "X-Deteco-Email"), ["batch@example.com"]);
    assert!(answer.names().all(|name| !name.to_lowercase().starts_with("x-deteco")), "{answer:?}");
}

#[test]
fn readme_sample_refuses_a_stranger_with_a_challenge() {
    let site = readme();
    let answer = site.get("/api/reports/2026", "");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"deteco\""), "there was no token");
    let answer = site.get("/api/reports/2026", "Bearer a.b.c");
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("WWW-Authenticate").unwrap_or("");
    assert!(
        challenge.contains("realm=\"deteco\"") && challenge.contains("error=\"invalid_token\""),
        "{challenge}"
    );
    let answer = site.get("/api/reports/2026", &site.issuer.bearer("nobody"));
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(site.application.targets(), Vec::<String>::new());
}

#[test]
fn readme_sample_refuses_a_path_that_is_not_the_bearers() {
    let site = readme();
    let bearer = site.issuer.bearer("report_batch");
    for path in
        ["/", "/api", "/api/report", "/api/reports2", "/API/reports", "/api/secrets", "/x/api/reports"]
    {
        let answer = site.get(path, &bearer);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    for path in ["/api/reports", "/api/reports/", "/api/reports/2026"] {
        assert_eq!(site.get(path, &bearer).status, 200, "{path}");
    }
    assert_eq!(site.application.targets().len(), 3);
}

#[test]
fn the_location_that_asks_is_not_open_to_clients() {
    let site = readme();
    let bearer = site.issuer.bearer("report_batch");
    let answer = get("/_deteco", &bearer).with("X-Original-URI", "/api/reports").ask(site.nginx.address);
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.header("X-Deteco-User"), None);
}

#[test]
fn a_large_body_goes_to_the_application_and_not_to_deteco() {
    let site =
        Site::with(conf, |sample| sample.replacing("location / {", "location / {\nclient_max_body_size 8m;"));
    let (bearer, size) = (site.issuer.bearer("report_batch"), 2_000_000);
    let request = get("/api/reports", &bearer).line("POST /api/reports HTTP/1.1");
    let head = request.with("Content-Length", &size.to_string()).head();
    let mut stream = connect(site.nginx.address);
    stream.write_all(&[head.as_bytes(), &vec![b'x'; size]].concat()).unwrap();
    let answer = Response::read(&mut BufReader::new(&stream)).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(received(&answer, "Content-Length"), [size.to_string()]);
    assert_eq!(site.deteco.decision(200).text("method").as_deref(), Some("POST"));
}
