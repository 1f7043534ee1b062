//! The proxy itself is stopped.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::docker::{Container, unique_label};
use e2e::eventually::eventually;
use e2e::motarei::Motarei;
use e2e::process::Signal;
use e2e::programs::connect;
use e2e::websocket::End;

use super::echo;

const PROMPT: Duration = Duration::from_secs(5);

/// A proxy with one connection to a container that echoes.
fn open(flags: &[&str]) -> (Motarei, Container, TcpStream) {
    let label = unique_label();
    let proxy = Motarei::start(&label, flags);
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let client = connect(proxy.address());
    echo(&client, "before");
    (proxy, container, client)
}

/// Sends SIGTERM and waits until nothing new is accepted.
fn drain(proxy: &mut Motarei) {
    let address = proxy.address();
    proxy.process.signal(Signal::TERM);
    eventually("it accepts no more", || TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn without_connections_it_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut proxy = Motarei::start(&unique_label(), &[]);
        proxy.address();
        proxy.process.signal(signal);
        assert_eq!(proxy.process.wait(PROMPT).code(), Some(0), "{signal:?}");
    }
}

#[test]
fn an_open_connection_lives_on() {
    let (mut proxy, _container, client) = open(&[]);
    drain(&mut proxy);
    echo(&client, "meanwhile");
    assert!(proxy.process.exited().is_none());
    drop(client);
    assert_eq!(proxy.process.wait(PROMPT).code(), Some(0));
}

#[test]
fn drain_is_a_limit() {
    let (mut proxy, _container, client) = open(&["--drain", "1s"]);
    let start = Instant::now();
    drain(&mut proxy);
    assert_eq!(End::of_stream(&client), End::Reset, "a connection that is cut does not look complete");
    assert!(start.elapsed() >= Duration::from_millis(900), "not before: {:?}", start.elapsed());
    assert_eq!(proxy.process.wait(PROMPT).code(), Some(0));
    let log = proxy.process.stderr();
    assert!(log.contains("the shutdown timeout has passed"), "not all had ended by themselves: {log}");
}

#[test]
fn the_label_motarei_drain_is_a_limit() {
    let label = unique_label();
    let mut proxy = Motarei::start(&label, &[]);
    let container = Container::with_flags(&label, &["--label", "motarei.drain=1s"], &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let client = connect(proxy.address());
    echo(&client, "before");
    drain(&mut proxy);
    assert_eq!(End::of_stream(&client), End::Reset);
    assert_eq!(proxy.process.wait(PROMPT).code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (mut proxy, _container, client) = open(&[]);
    drain(&mut proxy);
    proxy.process.signal(Signal::TERM);
    assert!(proxy.process.wait(PROMPT).code().is_some(), "it ends by itself, not by the signal");
    assert_eq!(End::of_stream(&client), End::Reset);
}

#[test]
fn old_idle_close_ends_silent_connections_to_an_old_container() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--old-idle-close", "1s"]);
    let old = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&old.id);
    let (idle, busy) = (connect(proxy.address()), connect(proxy.address()));
    let closed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !closed.load(Ordering::SeqCst) {
                echo(&busy, "who speaks may stay");
                thread::sleep(Duration::from_millis(100)); // its rate, not a wait
            }
        });
        echo(&idle, "the last word");
        let new = Container::start(&label, &["SERVE=echo"]);
        proxy.routes_to(&new.id);
        let current = connect(proxy.address());
        echo(&current, "here");
        assert_ne!(End::of_stream(&idle), End::Silence);
        thread::sleep(Duration::from_secs(2)); // idle for longer than it takes to be closed
        echo(&current, "a connection to the new one is not pinned");
        closed.store(true, Ordering::SeqCst);
    });
}
