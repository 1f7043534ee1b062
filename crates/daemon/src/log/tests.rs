use super::*;
use std::sync::{Arc, Mutex};

/// What was logged while `events` ran, in lines, without the time.
fn logged(format: Format, events: impl FnOnce()) -> Vec<String> {
    let written = Written::default();
    let lines = Lines::new(style(format, false), written.clone());
    let subscriber = Registry::default().with(lines).with(LevelFilter::from(Level::Debug));
    tracing::subscriber::with_default(subscriber, events);
    let bytes = written.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    text.split_terminator('\n').map(without_time).collect()
}

fn without_time(line: &str) -> String {
    let start = line.find("20").unwrap();
    let (time, rest) = line[start..].split_at("2026-11-21T20:44:28.123Z".len());
    assert!(time.ends_with('Z') && time.contains('T'), "{line:?}");
    format!("{}{rest}", &line[..start])
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl patient::Sink for Written {
    fn put(&mut self, line: &[u8]) -> bool {
        self.0.lock().unwrap().extend(line);
        true
    }
}

fn a_connection() {
    let outer = tracing::info_span!("connection", peer = "192.0.2.1:7", user = tracing::field::Empty, n = 1);
    let _outer = outer.enter();
    let _inner = tracing::info_span!("tunnel", n = 2).entered();
    outer.record("user", "alice smith");
    tracing::info!(bytes = 12_u64, ok = true, ratio = 0.5, "closed");
    tracing::trace!("too much");
}

#[test]
fn writes_events_with_the_fields_of_their_spans() {
    let json = r#"{"time":"","level":"info","message":"closed","bytes":12,"ok":true,"ratio":0.5,"n":2,"peer":"192.0.2.1:7","user":"alice smith"}"#;
    assert_eq!(logged(Format::Json, a_connection), [json]);
    let text = r#"  INFO closed bytes=12 ok=true ratio=0.5 n=2 peer=192.0.2.1:7 user="alice smith""#;
    assert_eq!(logged(Format::Text, a_connection), [text]);
    let ltsv = "time:\tlevel:info\tmessage:closed\tbytes:12\tok:true\tratio:0.5\tn:2\tpeer:192.0.2.1:7\tuser:alice smith";
    assert_eq!(logged(Format::Ltsv, a_connection), [ltsv]);
}

/// Everything that ends a line or moves a cursor somewhere: C0, DEL, C1, separators, direction marks.
const HOSTILE: &str =
    "a\r\n{\"level\":\"error\"}\t\0\x1b[2K\x07\x7f\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\"\\ x=1";

#[test]
fn no_value_forges_a_line() {
    for format in [Format::Json, Format::Text, Format::Ltsv] {
        let lines = logged(format, || {
            let _span = tracing::info_span!("s", inherited = HOSTILE, shown = %HOSTILE).entered();
            let error = io::Error::other(HOSTILE);
            tracing::info!(field = HOSTILE, shown = %HOSTILE, error = &error as &dyn std::error::Error, "{HOSTILE}");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let raw = lines[0].chars().find(|c| escape::is_hostile(*c) && (format, *c) != (Format::Ltsv, '\t'));
        assert_eq!(raw, None, "{}", lines[0]);
        if format == Format::Ltsv {
            assert_eq!(lines[0].matches('\t').count(), 6, "{}", lines[0]);
        }
    }
}

#[test]
fn json_is_json() {
    let value = format!("{HOSTILE}{}", '\u{10ffff}');
    let lines = logged(Format::Json, || {
        let _span = tracing::info_span!("s", inherited = value).entered();
        tracing::info!(f = 1.5, g = -1, big = "\"".repeat(5000), "{value}");
        tracing::info!(
            a = "\0".repeat(900),
            b = "\0".repeat(900),
            c = "\0".repeat(900),
            d = "\0".repeat(900),
            "m"
        );
    });
    let read: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&read[0]["message"], &read[0]["inherited"]),
        (&value.as_str().into(), &value.as_str().into())
    );
    assert_eq!((&read[0]["f"], &read[0]["g"]), (&1.5.into(), &(-1).into()));
    assert!(read.iter().all(|line| line["cut"] == true));
}

#[test]
fn escapes_so_that_it_can_be_undone() {
    let event = || tracing::info!(field = "a\n\"\\\u{1b}é…", "m");
    assert!(logged(Format::Json, event)[0].ends_with(r#""field":"a\n\"\\\u001bé…"}"#));
    assert!(logged(Format::Text, event)[0].ends_with(r#" field="a\n\"\\\u{1b}é…""#));
    for (value, expected) in [("", "\"\""), ("a", "a"), ("a b", "\"a b\""), ("a=b", "\"a=b\""), ("é", "é")]
    {
        let line = &logged(Format::Text, || tracing::info!(value, "m"))[0];
        assert!(line.ends_with(&format!(" value={expected}")), "{line}");
    }
}

#[test]
fn cuts_long_lines_and_keeps_them_whole() {
    for value in ["x".repeat(100_000), "\0".repeat(100_000), "é\"".repeat(3000)] {
        for format in [Format::Json, Format::Text, Format::Ltsv] {
            let value = value.as_str();
            let one = logged(format, || tracing::info!(a = value, after = 1, "m"));
            assert!(one.len() == 1 && one[0].len() < 1200 && one[0].contains("after"), "{one:?}");
            let many = logged(format, || {
                tracing::info!(a = value, b = value, c = ?value, d = %value, e = value, "{value}");
            });
            assert!(many.len() == 1 && many[0].len() + "2026-11-21T20:44:28.123Z\n".len() <= line::LONGEST);
            let end = match format {
                Format::Json => "…\",\"cut\":true}",
                Format::Text => " cut=true",
                Format::Ltsv => "\tcut:true",
            };
            assert!(many[0].ends_with(end), "{}", many[0]);
        }
    }
}

#[test]
fn writes_what_json_cannot_as_text() {
    let line =
        &logged(Format::Json, || tracing::info!(f = f64::NAN, g = f64::INFINITY, h = u64::MAX, "m"))[0];
    assert!(line.ends_with(r#""f":"NaN","g":"inf","h":18446744073709551615}"#), "{line}");
}

#[test]
fn keeps_its_own_names_to_itself() {
    let line = &logged(Format::Json, || tracing::warn!(time = 1, level = "error", cut = true, n = 1, "m"))[0];
    assert_eq!(line, r#"{"time":"","level":"warn","message":"m","n":1}"#);
}

#[test]
fn writes_the_sources_of_an_error() {
    let error = crate::listen::ListenError::Resolve { name: "x".into(), source: io::Error::other("why") };
    let event = || tracing::warn!(error = &error as &dyn std::error::Error, "m");
    assert!(logged(Format::Text, event)[0].contains("does not resolve: why"));
}

#[test]
fn colours_only_the_head() {
    let entry = entry::Entry {
        time: std::time::UNIX_EPOCH,
        level: tracing::Level::WARN,
        fields: fields::Fields { message: "m".into(), named: Vec::new() },
    };
    let coloured = text::coloured(&entry);
    assert_eq!(coloured, "\x1b[2m1970-01-01T00:00:00.000Z\x1b[0m \x1b[33m WARN\x1b[0m m\n");
    assert_eq!(text::line(&entry), "1970-01-01T00:00:00.000Z  WARN m\n");
}

#[test]
fn reads_formats_and_levels() {
    assert_eq!("json".parse(), Ok(Format::Json));
    assert_eq!("JSON".parse::<Format>().unwrap_err().to_string(), "\"JSON\" is none of text, json, ltsv");
    for level in ["error", "warn", "info", "debug", "trace"] {
        assert_eq!(level.parse::<Level>().unwrap().to_string(), level);
    }
    assert!("verbose".parse::<Level>().is_err());
}

/// Has room now and then.
struct Narrow {
    room: Vec<bool>,
    written: Written,
}

impl patient::Sink for Narrow {
    fn put(&mut self, line: &[u8]) -> bool {
        self.room.pop().expect("as many as expected") && self.written.put(line)
    }
}

#[test]
fn what_was_lost_is_counted_and_said() {
    let written = Written::default();
    // From the end: one line, none twice (the second time not even the count), the count but no line, both.
    let room = vec![true, true, false, true, false, false, true];
    let lines = Lines::new(style(Format::Json, false), Narrow { room, written: written.clone() });
    tracing::subscriber::with_default(Registry::default().with(lines), || {
        for n in 1..=5 {
            tracing::info!(n, "line");
        }
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().map(without_time).collect();
    let lost = |n| {
        format!(
            r#"{{"time":"","level":"warn","message":"log lines were lost, since nobody read the log","lost":{n}}}"#
        )
    };
    let line = |n| format!(r#"{{"time":"","level":"info","message":"line","n":{n}}}"#);
    assert_eq!(lines, [line(1), lost(2), lost(1), line(5)]);
}
