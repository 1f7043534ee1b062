//! An upgrade of the gateway under start_server: nobody is refused, old tunnels live on.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::port;
use e2e::process::{Process, Signal, send};
use e2e::programs::{needed, program};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;

/// start_server with the gateway below it.
struct Supervised {
    supervisor: Process,
    address: SocketAddr,
    status: String,
    _scratch: Scratch,
}

impl Supervised {
    fn start(map: &str) -> Supervised {
        let scratch = Scratch::new();
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let (status, map) = (scratch.file("status"), scratch.write("server.map", map));
        let mut command = Command::new(needed("start_server", "libserver-starter-perl"));
        command.args(["--port", &address.to_string(), "--interval", "1", "--status-file", &status, "--"]);
        command.arg(program("wsgate-server")).args(["--log-format", "json", "--map", &map]);
        let supervisor = Process::spawn("start_server", &mut command).ends_by_term();
        let supervised = Supervised { supervisor, address, status, _scratch: scratch };
        eventually("the first generation listens", || supervised.listening(1));
        // It counts as started after the interval; before that a HUP would not be one.
        eventually("start_server has written its status", || {
            (!supervised.generations().is_empty()).then_some(())
        });
        supervised
    }

    /// Replaces the running generation and waits until the old ones are told to go.
    fn hup(&mut self) {
        let generation = self.supervisor.events_of("listening").len() + 1;
        self.supervisor.signal(Signal::HUP);
        eventually("the next generation listens", || self.listening(generation));
        eventually("the old generations are told to go", || {
            (self.supervisor.stderr().matches("killing old workers").count() + 1 >= generation).then_some(())
        });
    }

    /// Whether so many generations have said that they listen.
    fn listening(&self, generations: usize) -> Option<()> {
        (self.supervisor.events_of("listening").len() >= generations).then_some(())
    }

    /// The process ids of the generations that live.
    fn generations(&self) -> Vec<u32> {
        let status = fs::read_to_string(&self.status).unwrap_or_default();
        status.lines().filter_map(|line| line.split(':').nth(1)?.parse().ok()).collect()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        for pid in self.generations() {
            send(pid, Signal::KILL); // a failed test may leave a tunnel that it would wait for
        }
    }
}

#[test]
fn a_hup_under_load_refuses_nobody_and_old_tunnels_live_on() {
    let destination = Destination::echo();
    let mut gateway = Supervised::start(&destination.map("db"));
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
    let mut gateway = Supervised::start(&destination.map("db"));
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
    let mut gateway = Supervised::start(&destination.map("db"));
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
