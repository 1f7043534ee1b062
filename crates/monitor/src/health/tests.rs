use std::os::unix::net::UnixListener;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::sample::PROGRAM;

fn judged(status: &Value) -> (Level, String) {
    judge(&Reply { code: 200, body: status.to_string() }, PROGRAM)
}

/// Of our own program.
fn ours(mut status: Value) -> Value {
    status["program"] = json!(PROGRAM.name);
    status
}

#[test]
fn the_worst_decides() {
    for (status, level, text) in [
        (json!({ "ready": true }), Level::Ok, "ready"),
        (json!({ "ready": true, "warnings": [], "critical": [] }), Level::Ok, "ready"),
        (json!({ "ready": true, "warnings": ["a", "b"] }), Level::Warning, "a; b"),
        (json!({ "ready": false, "reason": "draining" }), Level::Critical, "not ready: draining"),
        (
            json!({ "ready": false, "warnings": ["a"], "critical": ["c"] }),
            Level::Critical,
            "not ready: no reason is known; c",
        ),
        (json!({ "ready": true, "warnings": ["a"], "critical": ["c"] }), Level::Critical, "c"),
        (json!({}), Level::Unknown, "the answer does not say whether it is ready"),
    ] {
        let status = ours(status);
        assert_eq!(judged(&status), (level, text.to_owned()), "{status}");
    }
    let reply = Reply { code: 404, body: "{}".to_owned() };
    assert_eq!(judge(&reply, PROGRAM), (Level::Unknown, "the answer is 404 and no status".to_owned()));
}

#[test]
fn another_program_is_not_this_one_however_well_it_is() {
    for (status, text) in [
        (
            json!({ "program": "deteco", "ready": true }),
            "deteco answers there, and not sample-gate: mend --status",
        ),
        (json!({ "program": 1, "ready": true }), "whoever answers there is none of these programs"),
        (json!({ "ready": true }), "whoever answers there is none of these programs"),
        (json!([]), "whoever answers there is none of these programs"),
    ] {
        assert_eq!(judged(&status), (Level::Unknown, text.to_owned()), "{status}");
    }
}

#[test]
fn it_is_one_short_line_and_the_same_while_all_is_well() {
    assert_eq!(line(PROGRAM, Level::Ok, "ready"), "sample-gate OK: ready\n");
    let long = line(PROGRAM, Level::Critical, &format!("a\nb\u{1b}[1m{}", "ü".repeat(5000)));
    assert!(long.starts_with("sample-gate CRITICAL: a b [1mü"), "{long}");
    assert_eq!((long.chars().count(), long.lines().count()), (LONGEST, 1));
}

#[test]
fn nobody_is_critical_and_silence_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.sock");
    let asked = || {
        let status = Some(ListenAddr::Unix(path.clone()));
        health(&HealthArgs { status, timeout: GoDuration(Duration::from_millis(200)) }, PROGRAM)
    };
    let nobody = asked();
    assert_eq!(nobody.status, 2);
    assert!(
        nobody.text.starts_with("sample-gate CRITICAL: unix:") && nobody.complaints.is_empty(),
        "{nobody:?}"
    );
    let _silent = UnixListener::bind(&path).unwrap();
    let silent = asked();
    assert_eq!(silent.status, 3);
    assert!(silent.text.ends_with("no answer in 0.2 s\n"), "{silent:?}");
}
