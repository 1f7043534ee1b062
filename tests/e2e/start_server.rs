//! An upgrade of the gateway under start_server: nobody is refused, old tunnels live on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::process::Signal;
use e2e::supervised::Supervised;
use e2e::websocket::WebSocket;

fn gateway(map: &str) -> Supervised {
    Supervised::start("wsgate-server", "--map", map)
}

#[test]
fn a_hup_under_load_refuses_nobody_and_old_tunnels_live_on() {
    let destination = Destination::echo();
    let mut gateway = gateway(&destination.map("db"));
    let mut old = WebSocket::open(gateway.address, "/proxy/db");
    let (address, first) = (gateway.address, gateway.generations());
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| call_until(&stop, &done, address))).collect();
        gateway.hup();
        let before = done.load(Ordering::SeqCst);
        eventually("calls go on", || (done.load(Ordering::SeqCst) > before + 50).then_some(()));
        stop.store(true, Ordering::SeqCst);
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Vec::<String>::new(), "no call failed");
        }
    });
    echo(&mut old);
    assert!(gateway.generations().contains(&first[0]), "its process waits for it");
    old.send(&Frame::close(1000, b""));
    drop(old);
    eventually("the first generation ends with its last tunnel", || {
        let living = gateway.generations();
        (living.len() == 1 && !living.contains(&first[0])).then_some(())
    });
}

#[test]
fn tunnels_live_through_several_hups() {
    // start_server sends SIGTERM to *all* old generations at each HUP: the same process gets it twice.
    let destination = Destination::echo();
    let mut gateway = gateway(&destination.map("db"));
    let mut first = WebSocket::open(gateway.address, "/proxy/db");
    gateway.hup();
    let mut second = WebSocket::open(gateway.address, "/proxy/db");
    gateway.hup();
    let mut third = WebSocket::open(gateway.address, "/proxy/db");
    for websocket in [&mut third, &mut second, &mut first] {
        echo(websocket);
    }
}

#[test]
fn a_term_of_start_server_drains() {
    let destination = Destination::echo();
    let mut gateway = gateway(&destination.map("db"));
    let mut open = WebSocket::open(gateway.address, "/proxy/db");
    gateway.supervisor.signal(Signal::TERM);
    eventually("it passes the signal on", || {
        gateway.supervisor.stderr().contains("sending TERM").then_some(())
    });
    echo(&mut open);
    drop(open);
    gateway.supervisor.wait(e2e::eventually::PATIENCE);
}

fn echo(websocket: &mut WebSocket) {
    websocket.send(&Frame::binary("still here"));
    assert_eq!(websocket.receive_payload(10), b"still here");
}

/// Opens a tunnel, has an echo through it, closes it, again and again; returns what went wrong.
fn call_until(stop: &AtomicBool, done: &AtomicUsize, address: SocketAddr) -> Vec<String> {
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        match call(address) {
            Ok(()) => drop(done.fetch_add(1, Ordering::SeqCst)),
            Err(failure) => failures.push(failure),
        }
    }
    failures
}

fn call(address: SocketAddr) -> Result<(), String> {
    let stream = std::net::TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
    e2e::programs::patient(&stream);
    let answer = WebSocket::try_on(stream, &Request::upgrade("/proxy/db"));
    let mut websocket =
        answer.map_err(|error| format!("no answer: {error}"))?.map_err(|refusal| format!("{refusal:?}"))?;
    websocket.send_raw(&Frame::binary("hello").encode()).map_err(|error| format!("send: {error}"))?;
    match websocket.receive() {
        Ok(Some(frame)) if frame.payload == b"hello" => Ok(()),
        other => Err(format!("instead of the echo: {other:?}")),
    }
}
