//! Where it tells: an address of its own, one that a former generation still has, or an inherited socket.

use std::net::TcpListener;
use std::process::Command;

use e2e::deteco::{Deteco, question, service};
use e2e::eventually::{PATIENCE, eventually};
use e2e::http::{Conversation, get};
use e2e::issuer::Issuer;
use e2e::port;
use e2e::process::{Process, Signal};
use e2e::programs::{activated, connect, program};
use e2e::status::StatusSocket;

use super::{NAME, Watched};

fn conf() -> String {
    service("alice", &Issuer::es256("a"), &["/path1"])
}

#[test]
fn it_tells_of_its_drain() {
    let mut watched = Watched::start(&conf());
    let (address, _kept) = (watched.deteco.address, connect(watched.deteco.address));
    watched.deteco.process.signal(Signal::TERM);
    eventually("it drains", || {
        (watched.status.try_get("/ready")? == (503, "draining\n".to_owned())).then_some(())
    });
    assert_eq!(get(address, "/ready").body, "draining\n", "nginx is still answered");
    assert_eq!(watched.status.health(NAME).0, Some(2));
    assert!(watched.deteco.process.wait(PATIENCE).success());
    assert!(watched.status.try_get("/live").is_none());
}

#[test]
fn it_is_released_when_the_drain_begins_if_a_successor_accepts() {
    let status = StatusSocket::at(format!("127.0.0.1:{}", port::free()));
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let command = activated(service.try_clone().unwrap(), NAME, "LISTEN_PID=$$ LISTEN_FDS=1");
    let mut deteco = Deteco::from_command(command, &conf(), &["--status-listen", &status.address]);
    eventually("it tells", || status.try_get("/live"));
    let mut kept = Conversation::with(deteco.address);
    assert_eq!(kept.ask(&question("/path1", "")).status, 401);
    deteco.process.signal(Signal::TERM);
    eventually("nobody answers there", || status.try_get("/live").is_none().then_some(()));
    assert!(deteco.process.wait(PATIENCE).success());
}

#[test]
fn a_generation_starts_while_the_former_one_has_the_address_and_takes_it_over() {
    let status = StatusSocket::at(format!("127.0.0.1:{}", port::free()));
    let flags = ["--status-listen", &status.address];
    let mut former = Deteco::start(&conf(), &flags);
    eventually("the former one tells", || status.try_get("/live"));
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let next = activated(service, NAME, "LISTEN_PID=$$ LISTEN_FDS=1");
    let next = Deteco::from_command(next, &conf(), &flags);
    eventually("it warns", || next.process.warned("no status yet").then_some(()));
    assert_eq!(next.ask("/path1", "").status, 401, "and decides");
    former.process.signal(Signal::TERM);
    eventually("the next one tells", || {
        let (_, text) = status.try_get("/status")?;
        text.contains(&format!("\"pid\":{}", next.process.pid())).then_some(())
    });
}

#[test]
fn an_address_that_somebody_else_has_is_an_error_without_inherited_sockets() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = Deteco::start(&conf(), &[]);
    let file = first.scratch().file("deteco.toml");
    let mut command = Command::new(program(NAME));
    command.args(["--listen", "127.0.0.1:0", "--conf", &file]);
    command.args(["-status-listen", &taken.local_addr().unwrap().to_string()]);
    let mut process = Process::spawn(NAME, &mut command);
    assert_eq!(process.wait(PATIENCE).code(), Some(2), "{}", process.stderr());
}

#[test]
fn an_inherited_socket_that_is_called_status_is_not_for_nginx() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let status = StatusSocket::at(listener.local_addr().unwrap().to_string());
    let mut command = activated(listener, NAME, "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=status");
    command.args(["--listen", "127.0.0.1:0"]);
    let deteco = Deteco::from_command(command, &conf(), &[]);
    assert_eq!(status.get("/ready"), (200, "ready\n".to_owned()));
    assert_ne!(deteco.address.to_string(), status.address);
    assert_eq!(deteco.ask("/path1", "").status, 401);
    assert_eq!(status.get("/auth").0, 404);
}
