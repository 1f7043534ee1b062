//! A client that knows that its application is gone says so at once: nothing stays locked for the grace.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::cutter::{Cutter, How};
use e2e::destination::Destination;
use e2e::process::{Signal, send};
use e2e::programs::{Gateway, program, reset};
use e2e::scratch::Scratch;
use e2e::websocket::End;
use serde_json::Value;

use super::integrity::Tunnel;

/// A second, and air for a busy machine; the grace is two minutes.
const AT_ONCE: Duration = Duration::from_secs(8);

/// `--stdio` through a cutter, with a byte carried each way.
struct OnPipes {
    child: Child,
    far: TcpStream,
    cutter: Cutter,
    audit: String,
    _gateway: Gateway,
    _destination: Destination,
    _dir: Scratch,
}

impl OnPipes {
    fn open() -> OnPipes {
        let (destination, accepted) = Destination::played();
        let dir = Scratch::new();
        let audit = dir.file("audit.log");
        let gateway = Gateway::start(&destination.map("db"), &["--audit-log", &audit]);
        let cutter = Cutter::to(gateway.address);
        let mut command = Command::new(program("wsgate-client"));
        command.args(["--stdio", &cutter.url("db")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut far = accepted.next();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        far.write_all(b"y").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        OnPipes { child, far, cutter, audit, _gateway: gateway, _destination: destination, _dir: dir }
    }

    /// The gateway's line of the end, which comes at once, and the destination hears of it.
    fn ends_at_once(mut self, what: &str) -> Value {
        let begun = Instant::now();
        let closed = e2e::audit::events(&self.audit, "close", 1).remove(0);
        assert!(begun.elapsed() < AT_ONCE, "{what}: {:?}", begun.elapsed());
        assert_eq!(End::of_stream(&self.far), End::Reset, "{what}: what is broken off is not complete");
        self.child.wait().unwrap();
        closed
    }
}

#[test]
fn a_signal_ends_the_session_of_stdio_at_once() {
    for signal in [Signal::HUP, Signal::TERM, Signal::INT] {
        let stdio = OnPipes::open();
        send(stdio.child.id(), signal);
        stdio.ends_at_once(&format!("{signal:?}"));
    }
}

#[test]
fn a_signal_ends_the_session_of_stdio_at_once_though_it_was_just_cut() {
    for how in [How::Reset, How::OnlyClient] {
        let stdio = OnPipes::open();
        stdio.cutter.cut(how);
        send(stdio.child.id(), Signal::HUP);
        stdio.ends_at_once(&format!("{how:?}"));
    }
}

#[test]
fn a_closed_stdout_ends_the_session_of_stdio_at_once() {
    let mut stdio = OnPipes::open();
    drop(stdio.child.stdout.take()); // stdin stays open: poll(2) says it, not a write
    stdio.ends_at_once("no reader");
    let mut stdio = OnPipes::open();
    stdio.far.write_all(&[7; 1 << 20]).unwrap(); // more than a pipe holds: the writer is in the middle
    drop(stdio.child.stdout.take());
    stdio.ends_at_once("no reader any more");
}

#[test]
fn an_application_that_resets_ends_its_session_at_once() {
    let Tunnel { path, application, far, .. } = Tunnel::open(&[], &[]);
    reset(application);
    let begun = Instant::now();
    path.audited("close", 1);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(End::of_stream(&far), End::Reset);
}

#[test]
fn an_application_that_resets_while_its_tunnel_is_cut_ends_its_session_with_the_resume() {
    let Tunnel { path, application, far, .. } = Tunnel::open(&[], &[]);
    path.cutter.hole();
    path.cutter.cut(How::Reset);
    path.shows("sessions_detached", 1.0);
    reset(application);
    path.cutter.heal();
    let begun = Instant::now();
    path.audited("close", 1);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(End::of_stream(&far), End::Reset);
}

#[test]
fn a_second_signal_ends_the_sessions_of_a_client_at_once() {
    let mut tunnel = Tunnel::open(&[], &[]);
    tunnel.path.client.process.signal(Signal::TERM);
    e2e::eventually::eventually("it drains", || {
        TcpStream::connect(tunnel.path.client.address).is_err().then_some(())
    });
    tunnel.path.client.process.signal(Signal::TERM);
    let begun = Instant::now();
    tunnel.path.audited("close", 1);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(End::of_stream(&tunnel.far), End::Reset);
}
