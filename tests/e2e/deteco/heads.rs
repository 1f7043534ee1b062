//! Heads that are large, or many lines: an answer of deteco's, and no 500.

use e2e::deteco::{question, service};
use e2e::http::Request;
use e2e::nginx::Sample;

use super::{Site, get};

fn with_headers(request: Request, count: usize) -> Request {
    (0..count).fold(request, |request, number| request.and(&format!("X-Header-{number}"), "some value of it"))
}

/// nginx takes heads of clients that are larger than usual.
fn large(sample: Sample) -> Sample {
    sample.replacing("location / {", "large_client_header_buffers 4 128k;\nlocation / {")
}

fn site() -> Site {
    Site::with(|issuer| service("alice", issuer, &["/path1"]), large)
}

#[test]
fn a_client_with_hundreds_of_headers_gets_an_answer() {
    let site = site();
    for count in [99, 100, 110, 300, 900] {
        for (path, bearer, status) in
            [("/path1", site.alice().as_str(), 200), ("/path1", "", 401), ("/secret", &site.alice(), 403)]
        {
            let answer = with_headers(get(path, bearer), count).ask(site.nginx.address);
            assert_eq!(answer.status, status, "{count} headers: {}", site.deteco.process.stderr());
        }
    }
}

#[test]
fn a_cookie_of_40_kb_does_not_keep_anybody_out() {
    let site = site();
    for size in [8_000, 40_000, 60_000] {
        let cookie = format!("session={}", "c".repeat(size));
        let ask = |path: &str, bearer: &str| {
            get(path, bearer).with("Cookie", &cookie).ask(site.nginx.address).status
        };
        assert_eq!(ask("/path1", &site.alice()), 200, "{size}");
        assert_eq!(ask("/path1", ""), 401, "{size}");
        assert_eq!(ask("/secret", &site.alice()), 403, "{size}");
    }
}

#[test]
fn a_head_above_64_kib_is_refused_and_the_next_request_is_not() {
    let site = site();
    let cookie = format!("session={}", "c".repeat(100_000));
    for _ in 0..3 {
        let answer = get("/path1", &site.alice()).with("Cookie", &cookie).ask(site.nginx.address);
        assert_eq!(answer.status, 500, "{answer:?}");
        assert_eq!(site.get("/path1", &site.alice()).status, 200);
    }
    assert_eq!(site.application.targets().len(), 3);
}

#[test]
fn a_uri_above_8_kib_is_403() {
    let site = site();
    for (length, status) in [(8_192, 200), (8_193, 403), (20_000, 403)] {
        let path = format!("/path1/{}", "u".repeat(length - "/path1/".len()));
        assert_eq!(site.get(&path, &site.alice()).status, status, "{length}");
    }
}

#[test]
fn a_token_above_8_kib_is_401() {
    let site = site();
    let answer = site.get("/path1", &format!("Bearer {}.b.c", "a".repeat(9_000)));
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(site.deteco.decision(401).text("reason").as_deref(), Some("too_long"));
}

#[test]
fn two_tokens_are_never_200() {
    let site = site();
    for (first, second) in [(site.alice(), site.alice()), (site.alice(), "Bearer a.b.c".to_owned())] {
        for (first, second) in [(&first, &second), (&second, &first)] {
            let request = get("/path1", first).and("Authorization", second);
            let answer = request.with("Connection", "close").ask(site.nginx.address);
            assert!(matches!(answer.status, 400 | 401), "{answer:?}");
            let answer = question("/path1", first).and("Authorization", second).ask(site.deteco.address);
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
}
