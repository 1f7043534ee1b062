//! The conformance table: every row of `tests/conformance/` is put to the program, and all that differ are reported.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use e2e::conformance::Deteco;
use e2e::conformance::row::{Row, all};
use e2e::eventually::eventually;
use e2e::forge::Keys;
use e2e::http::Response;
use e2e::process::Event;

/// How many rows there are at least.
const ROWS: usize = 220;

/// Reasons for which there was no token, or not one, so that the challenge has no error code (RFC 6750 §3).
const WITHOUT_TOKEN: [&str; 2] = ["no_authorization", "scheme"];

/// What the challenge is after two `Authorization` lines, nobody says.
const EITHER: &str = "several_authorizations";

#[test]
fn every_row_is_answered_as_it_says() {
    let (keys, rows) = (Keys::new(), all());
    let wrong: Vec<String> =
        by_server(&rows).iter().flat_map(|(server, rows)| wrong_rows(server, rows, &keys)).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn by_server(rows: &[Row]) -> BTreeMap<&str, Vec<&Row>> {
    let mut servers = BTreeMap::<&str, Vec<&Row>>::new();
    for row in rows {
        servers.entry(&row.server).or_default().push(row);
    }
    servers
}

/// A line for each row that one server does not answer as it says.
fn wrong_rows(server: &str, rows: &[&Row], keys: &Keys) -> Vec<String> {
    let deteco = Deteco::start(server, keys);
    let mut found: Vec<_> = rows.iter().map(|row| wrong_answers(row, deteco.ask_twice(row, keys))).collect();
    let decisions = decisions(&deteco, 2 * rows.len(), &lines(rows, &found));
    for ((row, found), logged) in rows.iter().zip(&mut found).zip(decisions.chunks(2)) {
        let expected = (row.status.to_string(), row.reason.clone());
        if logged.iter().any(|logged| *logged != expected) {
            found.push(format!("logged {logged:?}"));
        }
    }
    lines(rows, &found)
}

fn lines(rows: &[&Row], found: &[Vec<String>]) -> Vec<String> {
    let wrong = rows.iter().zip(found).filter(|(_, found)| !found.is_empty());
    let line = |(row, found): (&&Row, &Vec<String>)| {
        let Row { server, name, status, reason, .. } = row;
        format!("{server}: {name}: expected {status} {reason:?}: {}", found.join("; "))
    };
    wrong.map(line).collect()
}

/// Status and reason of each decision, two a row and in their order: each was answered before the next was sent.
fn decisions(deteco: &Deteco, count: usize, wrong: &[String]) -> Vec<(String, String)> {
    eventually(&format!("{count} decisions are logged; wrong until now:\n{}", wrong.join("\n")), || {
        let events = deteco.process.events_of("decision");
        let text = |event: &Event, name| event.text(name).unwrap_or_default();
        let decided = events.iter().map(|event| (text(event, "status"), text(event, "reason")));
        (events.len() >= count).then(|| decided.collect())
    })
}

fn wrong_answers(row: &Row, answers: io::Result<[Response; 2]>) -> Vec<String> {
    match answers {
        Ok([first, again]) => {
            let again = differences(row, &again).into_iter().map(|difference| format!("again: {difference}"));
            differences(row, &first).into_iter().chain(again).collect()
        }
        Err(error) => vec![format!("no two answers on one connection: {error}")],
    }
}

/// What is wrong with an answer, but for the reason, which is only in the log.
fn differences(row: &Row, answer: &Response) -> Vec<String> {
    let header = |name| answer.header(name).unwrap_or("-").to_owned();
    let user = if row.status == 200 { &row.sub } else { "-" };
    let token = !WITHOUT_TOKEN.contains(&row.reason.as_str());
    let challenge = match row.status {
        401 if row.reason == EITHER => header("WWW-Authenticate"),
        401 if token => r#"Bearer realm="deteco", error="invalid_token""#.to_owned(),
        401 => r#"Bearer realm="deteco""#.to_owned(),
        _ => "-".to_owned(),
    };
    let expected = [
        ("status", answer.status.to_string(), row.status.to_string()),
        ("body", answer.body.clone(), String::new()),
        ("Content-Length", header("Content-Length"), "0".to_owned()),
        ("Cache-Control", header("Cache-Control"), "no-store".to_owned()),
        ("X-Deteco-User", header("X-Deteco-User"), user.to_owned()),
        ("WWW-Authenticate", header("WWW-Authenticate"), challenge),
    ];
    let differ = expected.into_iter().filter(|(_, got, expected)| got != expected);
    differ.map(|(what, got, expected)| format!("{what} {got:?}, not {expected:?}")).collect()
}

#[test]
fn every_row_is_complete() {
    let (keys, rows) = (Keys::new(), all());
    assert!(rows.len() >= ROWS, "{} rows", rows.len());
    let mut names = BTreeSet::new();
    for row in &rows {
        assert!(names.insert(&row.name), "two rows are named {:?}", row.name);
        assert!(row.why.split(' ').count() > 2, "{}: no reason is given", row.name);
        assert_eq!(row.status == 200, row.reason.is_empty(), "{}: a 200 alone has no reason", row.name);
        assert!([200, 401, 403].contains(&row.status), "{}: {}", row.name, row.status);
        row.request(&keys); // checks the lengths that it states
    }
}
