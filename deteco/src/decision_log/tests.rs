use std::process::Command;

use daemon::log::{Format, Level};
use serde_json::Value;
use token::Refused;

use super::*;
use crate::{Reason, test};

/// A newline, an escape, a quotation mark, the end of an object, a direction mark, NUL, no UTF-8.
const HOSTILE: &[u8] = b"/a\nb\x1b[2J\"}%\xe2\x80\xae\0\xff \\";

fn decision(outcome: Result<(), Reason>) -> Decision<'static> {
    let identity = test::identity(1_795_000_000, 1_795_000_100);
    Decision {
        outcome: outcome.map(|()| identity.clone()),
        identity: Some(identity),
        kid: None,
        token_hash: Some([0, 1, 2, 0xfd, 4, 5, 6, 7]),
        path: Some(b"/api/reports"[..].into()),
        cached: false,
        refetch: None,
    }
}

fn asked<'a>(method: Lines<'a>, real_ip: Lines<'a>) -> Asked<'a> {
    let question = Question { method, ..Question::default() };
    Asked {
        question,
        real_ip,
        peer: "127.0.0.1:7".parse::<std::net::SocketAddr>().unwrap().into(),
        took: Duration::from_micros(40),
    }
}

/// The log of a process is set once, so it is that of a process of its own: this test binary again.
fn lines(case: &str) -> Vec<Value> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "decision_log::tests::writes", "--nocapture"])
        .env("DETECO_TEST_LOG", case)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let text = String::from_utf8(child.stderr).unwrap();
    let objects = text.lines().filter(|line| line.starts_with('{'));
    objects.map(|line| serde_json::from_str(line).expect("each line is a whole object")).collect()
}

/// The child of [`lines`]; without its variable there is nothing to do.
#[test]
fn writes() {
    let Ok(case) = std::env::var("DETECO_TEST_LOG") else { return };
    let level = if case == "quiet" { Level::Warn } else { Level::Info };
    daemon::log::init(Format::Json, level);
    let log = |every| DecisionLog::new(every, Proxies::new(Vec::new()));
    let get = || asked(Lines::One(b"GET"), Lines::One(b"203.0.113.9"));
    match case.as_str() {
        "plain" => {
            log(1).write(&decision(Ok(())), &get());
            log(1).write(&decision(Err(Reason::Path)), &asked(Lines::None, Lines::None));
        }
        "hostile" => {
            let mut refused = decision(Err(Reason::Token(Refused::NoKey)));
            refused.identity = None;
            refused.kid = Some(String::from_utf8_lossy(HOSTILE).into_owned());
            refused.path = Some(HOSTILE.into());
            let long = HOSTILE.repeat(1000);
            log(1).write(&refused, &asked(Lines::One(HOSTILE), Lines::One(HOSTILE)));
            refused.kid = Some(String::from_utf8_lossy(&long).into_owned());
            refused.path = Some(long.clone().into());
            log(1).write(&refused, &asked(Lines::One(&long), Lines::One(&long)));
        }
        _ => {
            let log = log(case.parse().unwrap_or(1));
            for _ in 0..10 {
                log.write(&decision(Ok(())), &get());
                log.write(&decision(Err(Reason::Path)), &get());
                log.write(&decision(Err(Reason::Denied)), &get());
            }
        }
    }
}

#[test]
fn a_line_says_what_was_decided() {
    let lines = lines("plain");
    let [allowed, refused] = &lines[..] else { panic!("{lines:?}") };
    for (field, value) in [
        ("level", "info"),
        ("message", "decision"),
        ("service", test::SERVICE),
        ("kid", "2026-a"),
        ("client", "203.0.113.9"),
        ("method", "GET"),
        ("path", "/api/reports"),
        ("token", "000102fd04050607"),
    ] {
        assert_eq!(allowed[field], value, "{field}");
    }
    assert_eq!((&allowed["status"], &allowed["reason"]), (&200.into(), &Value::Null));
    assert!(allowed["ptime"].as_f64().is_some_and(|seconds| (0.0..10.0).contains(&seconds)), "{allowed}");
    assert_eq!((&refused["status"], &refused["reason"]), (&403.into(), &"path".into()));
    assert_eq!((&refused["client"], &refused["method"]), (&"127.0.0.1".into(), &Value::Null));
}

#[test]
fn hostile_bytes_break_no_line() {
    let lines = lines("hostile");
    let [short, long] = &lines[..] else { panic!("{lines:?}") };
    for line in &lines {
        assert_eq!((&line["status"], &line["reason"]), (&401.into(), &"no_key".into()), "{line}");
        assert_eq!((&line["client"], &line["service"]), (&"127.0.0.1".into(), &Value::Null), "{line}");
        assert_eq!(line["token"], "000102fd04050607");
    }
    assert_eq!(short["path"], "/a%0Ab%1B[2J\"}%25%E2%80%AE%00%FF%20\\");
    assert_eq!(short["method"], short["path"]);
    assert_eq!(short["kid"], String::from_utf8_lossy(HOSTILE).as_ref());
    assert!(long["method"].as_str().unwrap().len() <= 3 * METHOD);
    assert_eq!(long["cut"], true);
}

#[test]
fn refusals_are_always_logged_and_the_allowed_as_often_as_wanted() {
    for (case, allowed, refused) in
        [("0", 0, 20), ("1", 10, 20), ("3", 4, 20), ("100", 1, 20), ("quiet", 0, 0)]
    {
        let lines = lines(case);
        let count = |wanted: bool| lines.iter().filter(|line| (line["status"] == 200) == wanted).count();
        assert_eq!((count(true), count(false)), (allowed, refused), "{case}");
    }
}
