//! Where motarei listens, what it says when it cannot, and how many it serves.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Command;

use e2e::docker::{Container, IMAGE_PORT, unique_label};
use e2e::eventually::{PATIENCE, eventually};
use e2e::load::visit;
use e2e::motarei::Motarei;
use e2e::port;
use e2e::programs::{connect, needed, program};
use e2e::scratch::Scratch;
use e2e::websocket::End;

use super::echo;

#[test]
fn listen_on_a_unix_socket_beside_a_port() {
    let (label, scratch) = (unique_label(), Scratch::new());
    let (socket, listen) = (scratch.file("web.sock"), scratch.file("web.sock"));
    let proxy = Motarei::start(&label, &["--listen", &format!("unix:{listen}={IMAGE_PORT}")]);
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    assert_eq!(visit(proxy.address()).as_deref(), Ok("1"));
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with('1'), "{answer}");
}

#[test]
fn a_port_that_is_taken_is_shown_and_the_other_serves() {
    let label = unique_label();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let proxy = Motarei::start(&label, &["--listen", &format!("{address}={IMAGE_PORT}")]);
    let container = Container::start(&label, &[]);
    proxy.routes_to(&container.id);
    assert_eq!(visit(proxy.address()).as_deref(), Ok("1"));
    let error = proxy.shows("the status says it", |status| {
        let listeners = status.app()["listeners"].as_array()?.iter();
        listeners.filter_map(|listener| listener["error"].as_str()).next().map(str::to_owned)
    });
    assert!(error.contains(&address.to_string()) || error.contains("in use"), "{error}");
}

#[test]
fn no_port_at_all_is_fatal_at_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("{}={IMAGE_PORT}", taken.local_addr().unwrap());
    let mut proxy = Motarei::with_flags(&["--label", &unique_label(), "--listen", &listen]);
    assert!(!proxy.process.wait(PATIENCE).success());
    let stderr = proxy.process.stderr();
    assert!(stderr.contains("in use"), "{stderr}");
}

#[test]
fn an_inherited_socket_that_nobody_asked_for_is_an_error() {
    let mut command = Command::new(needed("start_server", "libserver-starter-perl"));
    let (asked, given) = (port::free(), port::free());
    command.args(["--port", &format!("127.0.0.1:{given}"), "--interval", "1", "--"]).arg(program("motarei"));
    let listen = format!("127.0.0.1:{asked}={IMAGE_PORT}");
    let mut proxy = Motarei::from_command(command, &["--label", &unique_label(), "--listen", &listen]);
    proxy.process = proxy.process.ends_by_term();
    let error = eventually("it says why it does not start", || {
        let stderr = proxy.process.stderr();
        stderr.lines().find(|line| line.contains(&given.to_string())).map(str::to_owned)
    });
    assert!(error.starts_with("motarei: "), "{error}");
}

#[test]
fn max_connections_is_a_limit() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--max-connections", "2"]);
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    let served = [connect(proxy.address()), connect(proxy.address())];
    served.iter().for_each(|stream| echo(stream, "served"));
    assert_ne!(End::of_stream(&connect(proxy.address())), End::Silence);
    let refused = eventually("it is logged", || proxy.process.events_of("not served").pop());
    assert!(refused.text("why").unwrap().contains("--max-connections"), "{refused:?}");
    drop(served);
    proxy.shows("they are gone", |status| (status.0["connections"] == 0).then_some(()));
    echo(&connect(proxy.address()), "there is room again");
}
