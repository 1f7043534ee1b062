//! What a list says, and whom it refuses.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::decide::tests::{KEY, now, service, token, verified};

fn list(text: &str) -> DenyList {
    text.parse().unwrap()
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let rows = [
        ("jti", "line 1: nothing comes after \"jti\""),
        ("\n# x\nsub  ", "line 3: nothing comes after \"sub\""),
        ("jti a\nuser b", "line 2: \"user\" is none of jti, sub, kid, sha256 and iat-before"),
        ("sha256 abc", "line 1: a sha256 is 64 hexadecimal digits"),
        ("iat-before yesterday", "line 1: \"yesterday\" is no time like 2027-03-31T00:00:00Z"),
        ("iat-before 2026-11-01T00:00:00Z kid a", "line 1: \"kid a\" comes after the time; only `sub X` may"),
        ("iat-before 2026-11-01T00:00:00Z sub", "line 1: \"sub\" comes after the time; only `sub X` may"),
        ("sub # all of them", "line 1: nothing comes after \"sub\""),
    ];
    for (text, expected) in rows {
        assert_eq!(text.parse::<DenyList>().unwrap_err().to_string(), expected, "{text:?}");
    }
    let odd_hash = format!("sha256 {}", "g".repeat(64));
    assert!(odd_hash.parse::<DenyList>().is_err());
}

#[test]
fn comments_and_blanks_are_no_entries() {
    assert!(list("# jti a\n\n  \t# sub b\n").is_empty());
    assert_eq!(list("sub report batch # since May"), list("  sub\treport batch  "));
    assert_ne!(list("jti a#b"), list("jti a"));
    let twice = "iat-before 2026-11-01T00:00:00Z\niat-before 2025-11-01T00:00:00Z";
    assert_eq!(list(twice), list("iat-before 2026-11-01T00:00:00Z"), "the later limit holds");
}

#[test]
fn whom_it_refuses() {
    let token = token(Some("k1"), serde_json::json!({"jti": "one"}));
    let service = Arc::new(service(vec![KEY.public().clone().into()]));
    let identity = Identity::new(verified(&token, &service), service.clone(), &token);
    let (input, _) = token.rsplit_once('.').unwrap();
    let hash: String = crate::identity::sha256(input).iter().map(|byte| format!("{byte:02X}")).collect();
    let at = |seconds| daemon::log::utc(now() + Duration::from_secs(seconds));
    let rows = [
        ("jti one".to_owned(), true),
        ("jti One".to_owned(), false),
        ("sub one".to_owned(), false),
        (format!("sub {}", service.id), true),
        ("kid k1".to_owned(), true),
        ("kid k2".to_owned(), false),
        (format!("sha256 {hash}"), true),
        (format!("sha256 {}", hash.replace(&hash[..2], "00")), false),
        (format!("iat-before {}", at(0)), false),
        (format!("iat-before {}", at(1)), true),
        (format!("iat-before {} sub {}", at(1), service.id), true),
        (format!("iat-before {} sub other", at(1)), false),
    ];
    for (text, expected) in rows {
        assert_eq!(list(&text).denies(&identity), expected, "{text}");
    }
}

/// Who has the private key could leave the name out.
#[test]
fn a_denied_key_has_its_name_without_being_named() {
    let token = token(None, serde_json::json!({}));
    let named = token::Key { kid: Some("k1".into()), ..KEY.public().clone().into() };
    let service = Arc::new(service(vec![named]));
    let identity = Identity::new(verified(&token, &service), service, &token);
    assert!(list("kid k1").denies(&identity));
    assert!(!list("kid k2").denies(&identity));
}
