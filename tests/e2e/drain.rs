//! Stopping: open tunnels live on, new ones are refused, a second signal ends at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::{Request, get};
use e2e::process::Signal;
use e2e::programs::{Gateway, Pair};
use e2e::websocket::{End, WebSocket};

const PROMPT: Duration = Duration::from_secs(5);

#[test]
fn a_server_without_tunnels_ends_at_once_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut gateway = Gateway::start("", &[]);
        gateway.process.signal(signal);
        assert_eq!(gateway.process.wait(PROMPT).code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_draining_server_keeps_its_tunnels_and_refuses_new_ones() {
    for signal in [Signal::TERM, Signal::INT] {
        let destination = Destination::echo();
        let mut gateway = Gateway::start(&destination.map("db"), &[]);
        let mut open = WebSocket::open(gateway.address, "/proxy/db");
        gateway.process.signal(signal);
        eventually("readiness turns false", || (get(gateway.address, "/ready").status == 503).then_some(()));
        assert_eq!(get(gateway.address, "/live").status, 200, "{signal:?}");
        let refused = Request::upgrade("/proxy/db").ask(gateway.address);
        assert_eq!((refused.status, refused.refusal()), (503, "draining"), "{signal:?}: {refused:?}");
        assert_eq!(destination.dialled(), 1, "{signal:?}");
        open.send(&Frame::binary("still here"));
        assert_eq!(open.receive_payload(10), b"still here", "{signal:?}");
        assert!(gateway.process.exited().is_none(), "{signal:?}");
        open.send(&Frame::close(1000, b""));
        assert_eq!(open.end(), End::Close(Some(1000)));
        drop(open);
        assert_eq!(gateway.process.wait(PROMPT).code(), Some(0), "{signal:?}");
    }
}

#[test]
fn an_idle_http_connection_does_not_hold_a_draining_server() {
    let mut gateway = Gateway::start("", &[]);
    let kept = e2e::programs::connect(gateway.address);
    assert_eq!(Request::plain("GET", "/live").ask_on(&kept).status, 200);
    gateway.process.signal(Signal::TERM);
    assert_eq!(gateway.process.wait(PROMPT).code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_draining_server_at_once() {
    let (destination, accepted) = Destination::played();
    let mut gateway = Gateway::start(&destination.map("db"), &[]);
    let mut open = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    gateway.process.signal(Signal::TERM);
    eventually("it drains", || (get(gateway.address, "/ready").status == 503).then_some(()));
    gateway.process.signal(Signal::TERM);
    assert!(gateway.process.wait(PROMPT).code().is_some(), "it ends by itself, not by the signal");
    assert_ne!(open.end(), End::Silence);
    assert_eq!(End::of_stream(&far), End::Reset, "a tunnel that is cut does not look complete");
}

#[test]
fn the_shutdown_timeout_of_the_server_is_enforced() {
    let (destination, accepted) = Destination::played();
    let mut gateway = Gateway::start(&destination.map("db"), &["--shutdown-timeout", "1s"]);
    let mut open = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    let start = Instant::now();
    gateway.process.signal(Signal::TERM);
    assert_eq!(open.end(), End::Close(Some(1001)), "the client is told");
    assert!(start.elapsed() >= Duration::from_millis(900), "not before the deadline");
    assert_eq!(End::of_stream(&far), End::Reset, "a tunnel that is cut does not look complete");
    drop(open);
    assert_eq!(gateway.process.wait(PROMPT).code(), Some(0));
}

#[test]
fn a_draining_client_keeps_its_tunnels_and_takes_no_new_ones() {
    for signal in [Signal::TERM, Signal::INT] {
        let destination = Destination::echo();
        let mut pair = Pair::to(destination.address);
        let mut application = pair.connect();
        echo(&mut application);
        pair.client.process.signal(signal);
        eventually("it says how many are open", || {
            let stderr = pair.client.process.stderr();
            stderr
                .lines()
                .any(|line| line.contains("1 tunnel") && line.contains("once more ends"))
                .then_some(())
        });
        eventually("it stops listening", || TcpStream::connect(pair.client.address).is_err().then_some(()));
        echo(&mut application);
        assert!(pair.client.process.exited().is_none(), "{signal:?}");
        drop(application);
        assert_eq!(pair.client.process.wait(PROMPT).code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_client_without_tunnels_ends_at_once_with_status_0() {
    let mut pair = Pair::to(Destination::echo().address);
    pair.client.process.signal(Signal::TERM);
    assert_eq!(pair.client.process.wait(PROMPT).code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_draining_client_at_once() {
    let destination = Destination::echo();
    let mut pair = Pair::to(destination.address);
    let mut application = pair.connect();
    echo(&mut application);
    pair.client.process.signal(Signal::INT);
    eventually("it drains", || TcpStream::connect(pair.client.address).is_err().then_some(()));
    pair.client.process.signal(Signal::INT);
    assert!(pair.client.process.wait(PROMPT).code().is_some(), "it ends by itself, not by the signal");
    assert_eq!(End::of_stream(&application), End::Reset);
}

#[test]
fn the_shutdown_timeout_of_the_client_is_enforced() {
    let destination = Destination::echo();
    let mut pair = Pair::with_flags(destination.address, &[], &["--shutdown-timeout", "1s"]);
    let mut application = pair.connect();
    echo(&mut application);
    let start = Instant::now();
    pair.client.process.signal(Signal::TERM);
    assert_eq!(End::of_stream(&application), End::Reset);
    assert!(start.elapsed() >= Duration::from_millis(900), "not before the deadline");
    assert_eq!(pair.client.process.wait(PROMPT).code(), Some(0));
}

fn echo(application: &mut TcpStream) {
    application.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    application.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}
