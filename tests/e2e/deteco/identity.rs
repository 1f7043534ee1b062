//! Who somebody is comes from the token: nothing that a client says about it arrives.

use e2e::application::received;
use e2e::deteco::service;
use e2e::http::Request;
use e2e::issuer::claims;
use serde_json::json;

use super::{Site, get};

/// alice, whose claim `email` becomes a header, may see /path1.
fn site() -> Site {
    Site::with(
        |issuer| {
            format!(
                "{}[services.headers]\nX-Deteco-Email = \"email\"\n",
                service("alice", issuer, &["/path1"])
            )
        },
        |sample| sample,
    )
}

/// A request with every spelling in which a client may claim to be root.
fn forged(request: Request) -> Request {
    let names = [
        "X-Deteco-User",
        "x-deteco-user",
        "X-DETECO-USER",
        "X_Deteco_User",
        "X-Deteco_User",
        "X-Deteco-User",
    ];
    let request = names.iter().fold(request, |request, name| request.and(name, "root"));
    ["X-Deteco-Email", "x-deteco-email", "X_Deteco_Email"]
        .iter()
        .fold(request, |request, name| request.and(name, "root@example.com"))
}

#[test]
fn identity_headers_of_a_client_never_reach_the_application() {
    let site = site();
    let with_email = site.issuer.token(&claims("alice", json!({"email": "alice@example.com"})));
    let answer = forged(get("/path1", &format!("Bearer {with_email}"))).ask(site.nginx.address);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(received(&answer, "X-Deteco-User"), ["alice"]);
    assert_eq!(received(&answer, "X-Deteco-Email"), ["alice@example.com"]);
    assert!(!answer.body.contains("root"), "{answer:?}");

    let answer = forged(get("/path1", &site.alice())).ask(site.nginx.address);
    assert_eq!(received(&answer, "X-Deteco-User"), ["alice"]);
    assert_eq!(received(&answer, "X-Deteco-Email"), [""; 0], "a claim that is not there is no header");
    assert!(!answer.body.contains("root"), "{answer:?}");

    let answer = forged(get("/path1", "")).ask(site.nginx.address);
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[test]
fn a_claim_that_is_no_header_value_is_left_out() {
    let site = site();
    for value in [
        json!("a@example.com\r\nX-Deteco-User: root"),
        json!("a@example.com\nroot"),
        json!("root\u{0}"),
        json!("root\u{7f}"),
        json!("ro\u{f6}t"),
        json!("r".repeat(257)),
        json!(["root"]),
        json!({"root": "root"}),
        json!(7),
        json!(true),
    ] {
        let token = site.issuer.token(&claims("alice", json!({ "email": value })));
        let answer = site.get("/path1", &format!("Bearer {token}"));
        assert_eq!(answer.status, 200, "{value}: {answer:?}");
        assert_eq!(received(&answer, "X-Deteco-User"), ["alice"], "{value}");
        assert_eq!(received(&answer, "X-Deteco-Email"), [""; 0], "{value}");
    }
    let longest = "r".repeat(256);
    let token = site.issuer.token(&claims("alice", json!({ "email": longest })));
    let answer = site.get("/path1", &format!("Bearer {token}"));
    assert_eq!(received(&answer, "X-Deteco-Email"), [longest]);
}

#[test]
fn what_a_client_says_about_its_request_changes_nothing() {
    let site = site();
    let alice = site.alice();
    for spelling in ["X-Original-URI", "x-original-uri", "X_Original_URI", "X-Original-Uri"] {
        let answer = get("/secret", &alice).and(spelling, "/path1").ask(site.nginx.address);
        assert_eq!(answer.status, 403, "{spelling}");
        let answer = get("/path1", &alice).and(spelling, "/secret").ask(site.nginx.address);
        assert_eq!(answer.status, 200, "{spelling}");
    }
    assert_eq!(site.application.reached("/secret"), Vec::<String>::new());
}
