//! Peers that cost nothing but their own connection: slow, huge, many, or blocked.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use e2e::destination::Destination;
use e2e::eventually::{eventually, within};
use e2e::frame::{BINARY, Frame, header};
use e2e::http::{Request, get};
use e2e::isolated::with_small_buffers;
use e2e::memory::{descriptors, raise_descriptor_limit, resident};
use e2e::programs::{Gateway, Pair, connect, program};
use e2e::websocket::{End, WebSocket};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// What an allocator may keep and a debug build may waste.
const SLACK: u64 = 16 * MIB;

#[test]
fn slow_headers_are_cut_at_the_handshake_timeout() {
    let gateway = Gateway::start("", &["--handshake-timeout", "2s"]);
    let start = Instant::now();
    let mut stream = connect(gateway.address);
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\nX: ").unwrap();
    // A byte at a time: a timer that any byte winds up again would never fire.
    within(Duration::from_secs(10), "the connection is cut", || {
        let written = stream.write_all(b"x");
        let cut = match stream.read(&mut [0; 512]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        (cut || written.is_err()).then_some(())
    });
    let took = start.elapsed();
    assert!((Duration::from_millis(1_800)..Duration::from_secs(6)).contains(&took), "it took {took:?}");
}

#[test]
fn a_connection_that_says_nothing_is_cut_at_the_handshake_timeout() {
    let gateway = Gateway::start("", &["--handshake-timeout", "1s"]);
    let stream = connect(gateway.address);
    stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    assert_ne!(End::of_stream(&stream), End::Silence);
}

#[test]
fn an_idle_kept_connection_outlives_the_handshake_timeout() {
    let gateway = Gateway::start("", &["--handshake-timeout", "1s"]);
    let stream = connect(gateway.address);
    assert_eq!(Request::plain("GET", "/live").ask_on(&stream).status, 200);
    thread::sleep(Duration::from_millis(2_500)); // the idleness is what this test is about
    assert_eq!(Request::plain("GET", "/live").ask_on(&stream).status, 200, "a balancer's pool needs this");
}

#[test]
fn a_head_of_more_than_64_kib_is_refused_and_a_long_one_is_not() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let upgrade = |length: usize| Request::upgrade("/proxy/db").with("X-Long", &"x".repeat(length));
    assert!(WebSocket::try_open(gateway.address, &upgrade(30_000)).is_ok(), "a long cookie is no attack");
    let mut stream = connect(gateway.address);
    let _ = stream.write_all(upgrade(200_000).head().as_bytes()); // it may be cut while we write
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(get(gateway.address, "/live").status, 200);
}

#[test]
fn heads_that_never_end_cost_at_most_their_limit() {
    let gateway = Gateway::start("", &["--handshake-timeout", "1m"]);
    let before = resident(gateway.process.pid());
    let attackers: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(gateway.address);
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            let _ = stream.write_all(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1_000_000)).as_bytes());
            stream
        })
        .collect();
    assert_eq!(get(gateway.address, "/live").status, 200);
    let grown = resident(gateway.process.pid()).saturating_sub(before);
    assert!(grown <= 200 * 128 * KIB + SLACK, "{} KiB for 200 endless heads", grown / KIB);
    drop(attackers);
}

#[test]
fn announced_lengths_cost_nothing() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let before = resident(gateway.process.pid());
    let attackers: Vec<WebSocket> = (0..100)
        .map(|_| {
            let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
            websocket.send_raw(&header(0x80 | BINARY, 1 << 30, true)).unwrap();
            websocket.send_raw(b"the first bytes of it").unwrap();
            assert_eq!(websocket.receive_payload(21).len(), 21, "payload is streamed, not assembled");
            websocket
        })
        .collect();
    let grown = resident(gateway.process.pid()).saturating_sub(before);
    assert!(grown <= 100 * 64 * KIB + SLACK, "{} KiB for 100 frames of a gigabyte", grown / KIB);
    drop(attackers);
}

#[test]
fn two_hundred_blocked_tunnels_are_bounded_at_both_ends() {
    with_small_buffers("attack::two_hundred_blocked_tunnels_are_bounded_at_both_ends", || {
        raise_descriptor_limit();
        let (destination, accepted) = Destination::played();
        let pair = Pair::to(destination.address);
        let processes = [pair.client.process.pid(), pair.gateway.process.pid()];
        let before = processes.map(resident);
        let ends: Vec<TcpStream> = (0..200).flat_map(|_| [pair.connect(), accepted.next()]).collect();
        fill(&ends);
        for (name, (pid, before)) in ["client", "server"].into_iter().zip(processes.into_iter().zip(before)) {
            let grown = resident(pid).saturating_sub(before);
            let bound = 200 * 512 * KIB + SLACK;
            assert!(grown <= bound, "the {name} took {} KiB for 200 blocked tunnels", grown / KIB);
        }
    });
}

/// Nobody reads at either end, and both write until nobody takes more.
fn fill(ends: &[TcpStream]) {
    for end in ends {
        end.set_nonblocking(true).unwrap();
    }
    let mut quiet_since = Instant::now();
    eventually("every tunnel is full in both directions", || {
        if ends.iter().map(write_what_fits).sum::<usize>() > 0 {
            quiet_since = Instant::now();
        }
        (quiet_since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// Writes until the socket would block, and says how much it took.
fn write_what_fits(stream: &TcpStream) -> usize {
    let (mut to, mut sum) = (stream, 0);
    while let Ok(count) = to.write(&[7; 64 * 1024]) {
        sum += count;
    }
    sum
}

#[test]
fn a_thousand_idle_tunnels_hold_no_buffers() {
    raise_descriptor_limit();
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let before = resident(gateway.process.pid());
    let tunnels: Vec<WebSocket> = (0..1_000)
        .map(|_| {
            let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
            websocket.send(&Frame::binary("hello"));
            assert_eq!(websocket.receive_payload(5), b"hello");
            websocket
        })
        .collect();
    let grown = resident(gateway.process.pid()).saturating_sub(before);
    assert!(grown <= 1_000 * 16 * KIB, "{} bytes an idle tunnel", grown / 1_000);
    drop(tunnels);
    let pid = gateway.process.pid();
    eventually("all descriptors are given back", || (descriptors(pid) < 100).then_some(()));
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=96:96"]).arg(program("wsgate-server"));
    command.args(["--listen", "127.0.0.1:0", "--handshake-timeout", "1m"]);
    let destination = Destination::echo();
    let gateway = Gateway::from_command(command, &destination.map("db"), &[]);
    let pid = gateway.process.pid();
    let flood: Vec<TcpStream> = (0..200).map(|_| connect(gateway.address)).collect();
    eventually("its descriptors are used up", || (descriptors(pid) >= 95).then_some(()));
    drop(flood);
    let mut websocket = eventually("it accepts again", || {
        WebSocket::try_on(connect(gateway.address), &Request::upgrade("/proxy/db")).ok()?.ok()
    });
    websocket.send(&Frame::binary("hello"));
    assert_eq!(websocket.receive_payload(5), b"hello");
}
