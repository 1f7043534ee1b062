//! The audit log: who passed, who did not, and nothing that a caller made up.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use e2e::audit::{events, lines};
use e2e::destination::{Destination, refusing};
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::issuer::{Issuer, claims};
use e2e::memory::resident;
use e2e::process::Signal;
use e2e::programs::{Gateway, connect};
use e2e::scratch::Scratch;
use e2e::websocket::{End, WebSocket};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// A gateway with a key and an audit log, and where that is.
struct Audited {
    gateway: Gateway,
    file: String,
    issuer: Issuer,
    _dir: Scratch,
}

impl Audited {
    fn start(map: &str, flags: &[&str]) -> Audited {
        let (dir, issuer) = (Scratch::new(), Issuer::es256("a"));
        let (file, key) = (dir.file("audit.log"), issuer.public());
        let flags = [&["--public-key", &key, "--audit-log", &file], flags].concat();
        Audited { gateway: Gateway::start(map, &flags), file, issuer, _dir: dir }
    }

    /// An upgrade with a token of this subject.
    fn request(&self, path: &str, subject: &str) -> Request {
        Request::upgrade(path).with("Authorization", &self.issuer.bearer(subject))
    }

    fn open(&self, subject: &str) -> WebSocket {
        WebSocket::try_open(self.gateway.address, &self.request("/proxy/db", subject)).unwrap()
    }
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("{field} is a text in {line}"))
}

#[test]
fn audit_log_has_open_and_close_of_a_session() {
    let destination = Destination::echo();
    let audited = Audited::start(&destination.map("db"), &[]);
    let request = audited.request("/proxy/db", "alice").with("X-Forwarded-For", "198.51.100.7");
    let mut websocket = WebSocket::try_open(audited.gateway.address, &request).unwrap();
    let peer = websocket.stream().local_addr().unwrap().to_string();
    let opened = events(&audited.file, "open", 1).remove(0);
    websocket.send(&Frame::binary("seven b"));
    websocket.receive_payload(7);
    websocket.send(&Frame::close(1000, b""));
    assert_eq!(websocket.end(), End::Close(Some(1000)));
    drop(websocket);
    let closed = events(&audited.file, "close", 1).remove(0);
    for line in [&opened, &closed] {
        assert_eq!(text(line, "user"), "alice", "{line}");
        assert_eq!(text(line, "method"), "jwt", "{line}");
        assert_eq!(text(line, "destination"), "db", "{line}");
        assert_eq!(text(line, "upstream"), destination.address.to_string(), "{line}");
        assert_eq!(text(line, "peer"), peer, "{line}");
        // The original's names stay.
        assert_eq!(text(line, "x-forwarded-for"), "198.51.100.7", "{line}");
        assert_eq!(text(line, "remote-addr"), peer, "{line}");
        assert_eq!(text(line, "user-email"), "alice", "{line}");
    }
    assert_eq!(opened["seq"], closed["seq"], "{closed}");
    assert_eq!((&closed["read"], &closed["write"]), (&json!(7), &json!(7)), "{closed}");
    assert!(closed["seconds"].is_number(), "{closed}");
    assert!(!closed["disconnect_at"].is_null(), "{closed}");
    assert!(!text(&closed, "by").is_empty() && !text(&closed, "why").is_empty(), "{closed}");
    assert_eq!(lines(&audited.file).len(), 2, "one line each");
    let mode = fs::metadata(&audited.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "{mode:o}");
}

#[test]
fn audit_log_has_one_line_with_the_reason_for_each_refusal() {
    let destination = Destination::echo();
    let map = format!("{}dead,{}\n", destination.map("db"), refusing());
    let audited = Audited::start(&map, &["--max-connections", "1"]);
    let address = audited.gateway.address;
    for (reason, request) in [
        ("credential", Request::upgrade("/proxy/db")),
        ("credential", Request::upgrade("/proxy/db").with("Authorization", "Bearer a.b.c")),
        ("origin", Request::upgrade("/proxy/db").with("Origin", "https://evil.test")),
        ("unknown-destination", audited.request("/proxy/nowhere", "alice")),
        ("destination-refused", audited.request("/proxy/dead", "alice")),
    ] {
        let before = lines(&audited.file).len();
        assert_eq!(request.ask(address).refusal(), reason);
        let line = eventually("the refusal has its line", || {
            let mut lines = lines(&audited.file);
            (lines.len() > before).then(|| lines.pop())?
        });
        assert!(line.to_string().contains(reason), "{reason}: {line}");
        assert_eq!(lines(&audited.file).len(), before + 1, "{reason}: one line");
        assert_ne!((&line["event"], &line["event"]), (&json!("open"), &json!("close")), "{line}");
    }
    let _open = audited.open("alice");
    let before = events(&audited.file, "open", 1).len();
    assert_eq!(audited.request("/proxy/db", "bob").ask(address).refusal(), "limit");
    eventually("the limit has its line", || {
        let line = lines(&audited.file).pop()?;
        (line.to_string().contains("limit") && line["user"] == "bob").then_some(())
    });
    assert_eq!(events(&audited.file, "open", 1).len(), before);
}

#[test]
fn audit_log_is_reopened_on_sighup() {
    let destination = Destination::echo();
    let mut audited = Audited::start(&destination.map("db"), &[]);
    let first = audited.open("first");
    events(&audited.file, "open", 1);
    let old = format!("{}.1", audited.file);
    fs::rename(&audited.file, &old).unwrap();
    drop(audited.open("between"));
    events(&old, "close", 1); // nobody has said that the file is another
    audited.gateway.process.signal(Signal::HUP);
    eventually("the new file is there", || fs::metadata(&audited.file).ok());
    drop(first);
    assert_eq!(text(&events(&audited.file, "close", 1)[0], "user"), "first");
    assert_eq!(events(&old, "close", 1).len(), 1, "the old one is complete and left alone");
}

/// What a caller would write to have a line of its own, or to hide one.
const NASTY: [&str; 8] = [
    "x\n{\"event\":\"open\",\"user\":\"root\"}",
    "x\r\n{\"event\":\"open\",\"user\":\"root\"}\r\n",
    "\",\"user\":\"root\",\"x\":\"",
    "\\\",\"user\":\"root",
    "\u{1b}[2K\u{1b}[1Aroot",
    "\u{2028}{\"user\":\"root\"}\u{2029}\u{85}",
    "a\0b\u{202e}toor",
    "\u{feff}\u{7f}\t",
];

#[test]
fn audit_log_stays_one_object_a_line_whatever_a_caller_is_called() {
    let destination = Destination::echo();
    let audited = Audited::start(&destination.map("db"), &[]);
    for (count, nasty) in NASTY.into_iter().enumerate() {
        let token = audited.issuer.token(&claims(nasty, json!({})));
        let request = Request::upgrade("/proxy/db").with("Authorization", &format!("Bearer {token}"));
        drop(WebSocket::try_open(audited.gateway.address, &request).unwrap());
        let closed = events(&audited.file, "close", count + 1);
        assert_eq!(text(closed.last().unwrap(), "user"), nasty, "as it is, escaped");
    }
    assert_eq!(lines(&audited.file).len(), 2 * NASTY.len());
    plain(&audited.file);
}

#[test]
fn audit_log_stays_one_object_a_line_whatever_is_asked_for() {
    let destination = Destination::echo();
    let audited = Audited::start(&destination.map("db"), &[]);
    for nasty in NASTY {
        let encoded: String = nasty.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let before = lines(&audited.file).len();
        let status =
            audited.request(&format!("/proxy/{encoded}"), "alice").ask(audited.gateway.address).status;
        assert!(matches!(status, 400 | 404), "{nasty:?}: {status}");
        if status == 404 {
            eventually("it has its line", || (lines(&audited.file).len() == before + 1).then_some(()));
        }
    }
    plain(&audited.file);
}

#[test]
fn audit_log_stays_one_object_a_line_whatever_was_forwarded_for() {
    let destination = Destination::echo();
    let audited = Audited::start(&destination.map("db"), &[]);
    let address = audited.gateway.address;
    // What HTTP lets through in a header: no line breaks, but quotes, tabs and any byte above 0x7f.
    for nasty in
        ["\",\"user\":\"root\",\"x\":\"", "\\\",\"user\":\"root", "a\tb", "\u{85}\u{2028}é", "1.2.3.4, x"]
    {
        let request = audited.request("/proxy/db", "alice").with("X-Forwarded-For", nasty);
        // Either is fine, but a line it must be.
        let _ = WebSocket::try_open(address, &request);
    }
    let last = audited.open("the last");
    eventually("the last is logged", || {
        lines(&audited.file).iter().any(|line| line["user"] == "the last").then_some(())
    });
    assert!(lines(&audited.file).iter().all(|line| line["user"] != "root"));
    drop(last);
    plain(&audited.file);
}

/// No byte that a terminal or another reader of lines takes for more than a letter.
fn plain(file: &str) {
    let text = fs::read_to_string(file).unwrap();
    let bad = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}'));
    if let Some(line) = text.lines().find(|line| line.contains(bad)) {
        panic!("a control character in {line:?}");
    }
}

#[test]
fn ten_thousand_wrong_tokens_cost_no_memory_and_no_dial_and_each_has_its_line() {
    const TOTAL: usize = 10_000;
    const THREADS: usize = 8;
    let destination = Destination::echo();
    let audited = Audited::start(&destination.map("db"), &[]);
    let stranger = Issuer::es256("a");
    let wrong = |number: usize| match number % 4 {
        0 => stranger.bearer("alice"),
        1 => format!("Bearer {number}.b.c"),
        2 => format!(
            "Bearer {}x",
            audited.issuer.bearer(&format!("user{number}")).trim_start_matches("Bearer ")
        ),
        _ => format!("Bearer {}", "x".repeat(7_000)),
    };
    // The first hundreds fill what is filled once.
    ask_each(&audited.gateway, &[wrong(0), wrong(1), wrong(2), wrong(3)], 800);
    let pid = audited.gateway.process.pid();
    let before = resident(pid);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let tokens: Vec<String> = (0..20).map(|number| wrong(thread * 20 + number)).collect();
            let gateway = &audited.gateway;
            scope.spawn(move || ask_each(gateway, &tokens, TOTAL / THREADS));
        }
    });
    let grown = resident(pid).saturating_sub(before);
    assert!(grown <= 8 * MIB, "{} KiB for {TOTAL} wrong tokens", grown / 1024);
    assert_eq!(destination.dialled(), 0);
    eventually("each has its line", || (lines(&audited.file).len() >= TOTAL + 800).then_some(()));
    assert_eq!(lines(&audited.file).len(), TOTAL + 800);
    assert!(lines(&audited.file).iter().all(|line| line.to_string().contains("credential")));
}

/// Asks with these in turn, on connections that are kept as long as the gateway keeps them.
fn ask_each(gateway: &Gateway, authorizations: &[String], count: usize) {
    let mut kept: Option<TcpStream> = None;
    for authorization in authorizations.iter().cycle().take(count) {
        let stream = kept.take().unwrap_or_else(|| connect(gateway.address));
        let request = Request::upgrade("/proxy/db").with("Authorization", authorization);
        let answer = request.ask_on(&stream);
        assert_eq!((answer.status, answer.refusal()), (401, "credential"), "{answer:?}");
        let closes = answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        kept = (!closes).then_some(stream);
    }
}
