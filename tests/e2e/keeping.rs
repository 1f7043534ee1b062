//! What a gateway keeps of tunnels whose WebSocket is gone, flag by flag.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::destination::Destination;
use e2e::frame::Frame;
use e2e::http::{Request, Response};
use e2e::programs::{Gateway, connect};
use e2e::websocket::End;

const TUNNEL: &str = "Wsgate-Tunnel";
const NEW: &str = "2; window=16777216; resume=yes";

/// An ACK: so much is delivered, so much more may come.
fn ack(delivered: u64, window: u32) -> Frame {
    Frame::binary([&[2][..], &delivered.to_be_bytes(), &window.to_be_bytes()].concat())
}

/// What a gateway with these flags answers to a new session.
fn agreed(flags: &[&str]) -> String {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), flags);
    let answer = Request::upgrade("/proxy/db").with(TUNNEL, NEW).ask(gateway.address);
    answer.header(TUNNEL).unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// A session whose client has said its first word, and the destination's end of it.
struct Kept {
    gateway: Gateway,
    stream: TcpStream,
    far: TcpStream,
    session: String,
    _destination: Destination,
}

impl Kept {
    fn with(flags: &[&str]) -> Kept {
        let (destination, accepted) = Destination::played();
        let gateway = Gateway::start(&destination.map("db"), flags);
        let (stream, answer) = upgraded(&gateway, NEW);
        Kept { session: session(&answer), far: accepted.next(), gateway, stream, _destination: destination }
    }

    fn receive(&self) -> Frame {
        Frame::read(&mut &self.stream).unwrap().unwrap()
    }

    /// Cuts the WebSocket; how the destination's connection ends, and after how long.
    fn cut(self) -> (End, Duration) {
        let begun = Instant::now();
        drop(self.stream);
        (End::of_stream(&self.far), begun.elapsed())
    }
}

/// A WebSocket on which the client's first word is said.
fn upgraded(gateway: &Gateway, header: &str) -> (TcpStream, Response) {
    let stream = connect(gateway.address);
    let answer = Request::upgrade("/proxy/db").with(TUNNEL, header).ask_on(&stream);
    assert_eq!(answer.status, 101, "{answer:?}");
    (&stream).write_all(&ack(0, 1 << 24).encode()).unwrap();
    (stream, answer)
}

fn session(answer: &Response) -> String {
    let header = answer.header(TUNNEL).unwrap_or_else(|| panic!("{answer:?}"));
    header.split("; ").find_map(|part| part.strip_prefix("session=")).unwrap().to_owned()
}

fn resume(session: &str, attempt: u32) -> String {
    format!("2; session={session}; received=0; attempt={attempt}")
}

#[test]
fn resume_grace_is_how_long_a_tunnel_is_kept_without_a_websocket() {
    assert!(agreed(&[]).contains("; grace=120"));
    assert!(agreed(&["--resume-grace", "15s"]).contains("; grace=15"));
    assert!(agreed(&["--resume-grace", "0"]).ends_with("; resume=no"));
    let (end, after) = Kept::with(&["--resume-grace", "2s"]).cut();
    assert_eq!(end, End::Reset, "a tunnel that is given up does not look complete");
    assert!((Duration::from_millis(1900)..Duration::from_secs(10)).contains(&after), "{after:?}");
}

#[test]
fn grace_of_a_destination_is_its_own() {
    let destination = Destination::echo();
    let tables = ["15s", "0"].map(|grace| {
        let (name, to) = (format!("of-{grace}"), destination.address);
        format!("[[destination]]\nname = '{name}'\nupstream = '{to}'\ngrace = '{grace}'\n")
    });
    let gateway = Gateway::configured(&tables.concat(), &[]);
    for (name, says) in [("of-15s", "; grace=15"), ("of-0", "; resume=no")] {
        let answer = Request::upgrade(&format!("/proxy/{name}")).with(TUNNEL, NEW).ask(gateway.address);
        assert!(answer.header(TUNNEL).is_some_and(|header| header.contains(says)), "{answer:?}");
    }
}

#[test]
fn no_resume_ends_a_tunnel_with_its_websocket() {
    for (flag, ending) in [("--no-resume", "; resume=no"), ("--no-resume=false", "; grace=120")] {
        assert!(agreed(&[flag]).ends_with(ending), "{flag}");
    }
}

#[test]
fn window_is_what_the_gateway_offers_at_most() {
    assert!(agreed(&[]).contains("; window=1048576;"));
    assert!(agreed(&["--window", "64KiB"]).contains("; window=65536;"));
    assert!(agreed(&["--window", "16MiB"]).contains("; window=16777216;"));
}

#[test]
fn websocket_lifetime_is_told_to_clients() {
    assert!(!agreed(&[]).contains("lifetime"));
    assert!(agreed(&["--websocket-lifetime", "1h"]).ends_with("; lifetime=3600"));
}

#[test]
fn max_detached_bounds_how_many_wait_for_their_clients() {
    let (end, after) = Kept::with(&["--max-detached", "0"]).cut();
    assert_eq!(end, End::Reset);
    assert!(after < Duration::from_secs(10), "{after:?}");
}

#[test]
fn max_detached_bytes_bounds_what_they_hold() {
    let mut kept = Kept::with(&["--max-detached-bytes", "1KiB"]);
    kept.far.write_all(b"never confirmed").unwrap();
    while !kept.receive().payload.ends_with(b"never confirmed") {}
    assert_eq!(kept.cut().0, End::Reset);
}

#[test]
fn buffer_limit_bounds_what_is_kept_to_be_sent_again() {
    for (flags, at_least, at_most) in
        [(&[][..], 700_000, 2 << 20), (&["--buffer-limit", "256KiB"], 64 << 10, 512 << 10)]
    {
        let kept = Kept::with(flags);
        let mut far = kept.far.try_clone().unwrap();
        let flood = std::thread::spawn(move || far.write_all(&vec![7; 8 << 20]).is_ok());
        let mut got = 0;
        while got < at_least {
            got += kept.receive().payload.len();
        }
        // Nothing is confirmed: however long we wait, there is no more than that. The last third of a window need
        // not be used up.
        kept.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        while got <= at_most
            && let Ok(Some(frame)) = Frame::read(&mut &kept.stream)
        {
            got += frame.payload.len();
        }
        assert!((at_least..=at_most).contains(&got), "{flags:?}: {got}");
        drop(kept);
        let _ = flood.join().unwrap();
    }
}

#[test]
fn reauth_interval_makes_a_client_show_its_credential_again() {
    let mut kept = Kept::with(&["--reauth-interval", "1s"]);
    while !matches!(kept.receive().close_code(), Some(4004)) {}
    let (mut stream, _) = upgraded(&kept.gateway, &resume(&kept.session, 1));
    stream.write_all(&Frame::binary(&b"\x01still here"[..]).encode()).unwrap();
    let mut got = [0; 10];
    kept.far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
}
