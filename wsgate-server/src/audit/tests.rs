use std::os::unix::fs::PermissionsExt;

use daemon::log::is_hostile;
use serde_json::Value;

use super::*;

fn known<'a>(destination: &'a str, user: &'a str) -> Known<'a> {
    Known {
        session: "1f0a9c3e",
        seq: 7,
        user,
        method: "jwt",
        key: "0123",
        destination,
        upstream: "10.0.0.1:3306",
        peer: "192.0.2.1:5",
        forwarded_for: "198.51.100.1",
        dialect: 2,
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn no_value_makes_a_second_line_and_every_value_is_read_back() {
    for value in [
        "plain",
        "two\nlines\r\n{\"event\":\"open\"}",
        "\"},{\"user\":\"root",
        "\u{0}\u{1b}[2J\u{7f}\u{85}\u{9b}",
        "\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}",
        "\\u000a\\n",
        "名前 ü 🙂",
    ] {
        let line = Line::new("open", &known(value, value)).render();
        assert_eq!(line.lines().count(), 1, "{value:?}");
        assert!(
            line.ends_with('\n') && !line.trim_end_matches('\n').contains(is_hostile),
            "{value:?}: {line}"
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        for field in ["destination", "user", "user-email"] {
            assert_eq!(read[field], value);
        }
    }
}

#[test]
fn long_values_are_cut_between_characters() {
    for (value, length) in [("x".repeat(1024), 1024), ("x".repeat(60_000), 1027), ("é".repeat(600), 1027)] {
        let line = Line::new("refused", &known(&value, "")).render();
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["destination"].as_str().unwrap().len(), length);
    }
}

#[test]
fn a_line_has_our_names_and_those_of_the_original() {
    let ended = relay::Ended {
        up: 3,
        down: 4,
        by: relay::Side::Here,
        why: relay::Why::Idle,
        lasted: Duration::from_millis(1500),
    };
    let mut line = Line::new("close", &known("mysql", "alice"));
    line.closed = Some(Closed::new(&ended, 3));
    let read: Value = serde_json::from_str(&line.render()).unwrap();
    for (field, value) in [
        ("event", "close".into()),
        ("session", "1f0a9c3e".into()),
        ("seq", 7.into()),
        ("user", "alice".into()),
        ("user-email", "alice".into()),
        ("method", "jwt".into()),
        ("key", "0123".into()),
        ("destination", "mysql".into()),
        ("upstream", "10.0.0.1:3306".into()),
        ("peer", "192.0.2.1:5".into()),
        ("remote-addr", "192.0.2.1:5".into()),
        ("forwarded_for", "198.51.100.1".into()),
        ("x-forwarded-for", "198.51.100.1".into()),
        ("dialect", 2.into()),
        ("up", 3.into()),
        ("read", 3.into()),
        ("down", 4.into()),
        ("write", 4.into()),
        ("seconds", 1.5.into()),
        ("by", "here".into()),
        ("why", "idle".into()),
        ("resumes", 3.into()),
        ("status", Value::Null),
    ] {
        assert_eq!(read[field], value, "{field}");
    }
    assert!(read["disconnect_at"].is_string() && read["time"].is_string());
}

#[test]
fn a_renamed_file_is_followed_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("audit"), dir.path().join("audit.1"));
    std::fs::write(&path, "{}\n").unwrap();
    let audit = Audit::open(Some(path.clone())).unwrap();
    let line = |user| Line::new("open", &known("x", user)).render();
    audit.out().append(&line("first")).unwrap();
    std::fs::rename(&path, &old).unwrap();
    audit.out().append(&line("second")).unwrap();
    audit.reopen().unwrap();
    audit.out().append(&line("third")).unwrap();
    assert_eq!(lines(&old).len(), 3, "it is appended to");
    assert_eq!(lines(&path)[0]["user"], "third");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "0640 at most");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_and_one_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("none/audit")] {
        let error = format!("{:#}", Audit::open(Some(path.clone())).unwrap_err());
        assert!(error.contains("--audit-log") && error.contains(path.to_str().unwrap()), "{error}");
    }
    let full = Audit::open(Some("/dev/full".into())).unwrap();
    assert_eq!(full.out().append("x\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(full.out().torn);
}

#[test]
fn a_torn_line_is_not_continued() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    std::fs::write(&path, "{\"to").unwrap();
    let audit = Audit::open(Some(path.clone())).unwrap();
    audit.out().torn = true;
    audit.out().append("{}\n").unwrap();
    audit.out().append("{}\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"to\n{}\n{}\n");
}
