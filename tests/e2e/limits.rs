//! Limits of number and of time, each on what it means.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use e2e::destination::{Destination, Unanswering};
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::{Request, Response};
use e2e::issuer::Issuer;
use e2e::programs::{Gateway, Pair};
use e2e::websocket::{End, WebSocket};

fn ask(gateway: &Gateway, name: &str, bearer: &str) -> Result<WebSocket, Response> {
    let request = Request::upgrade(&format!("/proxy/{name}")).with("Authorization", bearer);
    WebSocket::try_open(gateway.address, &request)
}

/// Refused by a limit, with this status and the time to wait.
fn limited(answer: Result<WebSocket, Response>, status: u16) {
    let answer = answer.err().unwrap_or_else(|| panic!("one more than the limit was let in"));
    assert_eq!((answer.status, answer.refusal()), (status, "limit"), "{answer:?}");
    let wait: Option<u64> = answer.header("Retry-After").and_then(|seconds| seconds.parse().ok());
    assert!(wait.is_some_and(|seconds| seconds > 0), "{answer:?}");
}

#[test]
fn max_connections_in_total_is_503_with_retry_after() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &["--max-connections", "2"]);
    let one = WebSocket::open(gateway.address, "/proxy/db");
    let _two = WebSocket::open(gateway.address, "/proxy/db");
    limited(ask(&gateway, "db", "Bearer x"), 503);
    assert_eq!(destination.dialled(), 2, "who is refused causes no dial");
    drop(one);
    eventually("a slot is given back", || ask(&gateway, "db", "Bearer x").ok());
}

#[test]
fn max_connections_per_user_is_429_and_another_user_passes() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let flags = ["--public-key", &issuer.public(), "--max-connections-per-user", "2"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let alice = issuer.bearer("alice");
    let one = ask(&gateway, "db", &alice).unwrap();
    let _two = ask(&gateway, "db", &issuer.bearer("alice")).unwrap(); // another token, the same user
    limited(ask(&gateway, "db", &alice), 429);
    assert!(ask(&gateway, "db", &issuer.bearer("bob")).is_ok(), "another user is not meant");
    drop(one);
    eventually("a slot is given back", || ask(&gateway, "db", &alice).ok());
}

#[test]
fn max_connections_per_destination_is_429_and_another_destination_is_free() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let upstream = destination.address;
    let config = format!(
        "public_key = [{:?}]
[[destination]]
name = \"few\"
upstream = \"{upstream}\"
max_connections = 2
[[destination]]
name = \"one-each\"
upstream = \"{upstream}\"
max_connections_per_user = 1
",
        issuer.public()
    );
    let gateway = Gateway::configured(&config, &[]);
    let [alice, bob] = ["alice", "bob"].map(|name| issuer.bearer(name));
    let _one = ask(&gateway, "few", &alice).unwrap();
    let two = ask(&gateway, "few", &bob).unwrap();
    limited(ask(&gateway, "few", &alice), 429);
    let _each = [&alice, &bob].map(|bearer| ask(&gateway, "one-each", bearer).unwrap());
    limited(ask(&gateway, "one-each", &alice), 429);
    drop(two);
    eventually("a slot is given back", || ask(&gateway, "few", &alice).ok());
}

#[test]
fn a_refused_dial_gives_its_slots_back() {
    let dead = e2e::destination::refusing();
    let issuer = Issuer::es256("a");
    let flags =
        ["--public-key", &issuer.public(), "--max-connections-per-user", "1", "--max-connections", "1"];
    let gateway = Gateway::start(&format!("dead,{dead}\n"), &flags);
    for round in 0..5 {
        let answer = ask(&gateway, "dead", &issuer.bearer("alice")).err().unwrap();
        assert_eq!((answer.status, answer.refusal()), (502, "destination-refused"), "{round}");
    }
}

#[test]
fn dial_timeout_is_504_within_its_time() {
    let silent = Unanswering::new();
    let gateway = Gateway::start(&format!("db,{}\n", silent.address), &["--dial-timeout", "1s"]);
    let start = Instant::now();
    let answer = Request::upgrade("/proxy/db").ask(gateway.address);
    let took = start.elapsed();
    assert_eq!((answer.status, answer.refusal()), (504, "destination-timeout"), "{answer:?}");
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&took), "{took:?}");
    assert!(!answer.body.contains(&silent.address.to_string()), "the name, not the address: {answer:?}");
}

#[test]
fn write_timeout_never_cuts_payload_whose_reader_pauses() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::with_flags(
        destination.address,
        &["--write-timeout", "500ms", "--handshake-timeout", "1s", "--dial-timeout", "1s"],
        &["--connect-timeout", "5s"],
    );
    let mut application = pair.connect();
    let mut far = accepted.next();
    const TOTAL: usize = 64 << 20;
    let dump = thread::spawn(move || {
        e2e::pattern::write(&mut far, 7, TOTAL);
    });
    let mut first = [0; 1];
    application.peek(&mut first).unwrap();
    thread::sleep(Duration::from_secs(3)); // the pause is what this test is about
    e2e::pattern::read(&mut application, 7, TOTAL);
    dump.join().unwrap();
}

#[test]
fn idle_timeout_ends_a_tunnel_that_is_idle_both_ways_and_no_other() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &["--idle-timeout", "2s"]);
    let mut busy = WebSocket::open(gateway.address, "/proxy/db");
    let mut far_of_busy = accepted.next();
    let start = Instant::now();
    let mut idle = WebSocket::open(gateway.address, "/proxy/db");
    let far_of_idle = accepted.next();
    let waiting = thread::spawn(move || (idle.end(), Instant::now()));
    while start.elapsed() < Duration::from_secs(5) {
        // One way only: a long query that streams its result is not idle.
        far_of_busy.write_all(b"x").unwrap();
        assert_eq!(busy.receive_payload(1), b"x", "after {:?}", start.elapsed());
        thread::sleep(Duration::from_millis(300));
    }
    let (end, at) = waiting.join().unwrap();
    assert_ne!(end, End::Silence);
    let after = at - start;
    assert!((Duration::from_millis(1_900)..Duration::from_secs(10)).contains(&after), "it took {after:?}");
    assert_eq!(End::of_stream(&far_of_idle), End::Reset, "a tunnel that is cut does not look complete");
    busy.send(&Frame::binary("still here"));
    let mut got = [0; 10];
    far_of_busy.read_exact(&mut got).unwrap();
}

#[test]
fn max_lifetime_ends_a_busy_tunnel_too() {
    let destination = Destination::echo();
    let pair = Pair::with_flags(destination.address, &["--max-lifetime", "2s"], &[]);
    let application = pair.connect();
    let start = Instant::now();
    let mut cut = false;
    while start.elapsed() < Duration::from_secs(10) && !cut {
        cut = !echoes(&application);
        thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    assert!(cut && took >= Duration::from_millis(1_900), "cut: {cut}, after {took:?}");
    assert!(echoes(&pair.connect()), "a new tunnel has its own time");
}

fn echoes(mut application: &TcpStream) -> bool {
    let mut got = [0; 5];
    application.write_all(b"hello").is_ok() && application.read_exact(&mut got).is_ok() && &got == b"hello"
}
