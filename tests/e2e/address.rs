//! Addresses that are no `host:port` of numbers: names, the local host, unix sockets.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::{PATIENCE, eventually};
use e2e::frame::Frame;
use e2e::http::{Request, Response};
use e2e::process::Process;
use e2e::programs::{Gateway, program};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;

/// An echo on a unix socket, for as long as the process lives.
fn unix_echo(path: &str) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || drop(io::copy(&mut &stream, &mut &stream)));
        }
    });
}

fn echo(gateway: &Gateway) {
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    websocket.send(&Frame::binary("hello"));
    assert_eq!(websocket.receive_payload(5), b"hello");
}

#[test]
fn a_destination_may_be_a_name() {
    let destination = Destination::echo();
    echo(&Gateway::start(&format!("db,localhost:{}\n", destination.address.port()), &[]));
}

#[test]
fn a_destination_without_a_host_is_the_local_host() {
    let destination = Destination::echo();
    echo(&Gateway::start(&format!("db,:{}\n", destination.address.port()), &[]));
}

#[test]
fn a_destination_may_be_a_unix_socket() {
    let scratch = Scratch::new();
    let path = scratch.file("echo.sock");
    unix_echo(&path);
    echo(&Gateway::start(&format!("db,unix:{path}\n"), &[]));
}

/// Starts a program that listens on a unix socket and waits until it can be reached.
fn reachable(name: &str, arguments: &[&str], path: &str) -> (Process, UnixStream) {
    let mut command = Command::new(program(name));
    let mut process = Process::spawn(name, command.args(["--log-format", "json"]).args(arguments));
    let stream = eventually("the socket can be reached", || {
        if let Some(status) = process.exited() {
            panic!("{name} ended at start with {status}: {}", process.stderr());
        }
        UnixStream::connect(path).ok()
    });
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (process, stream)
}

#[test]
fn the_server_listens_on_a_unix_socket_over_a_file_nobody_answers_on() {
    let scratch = Scratch::new();
    let path = scratch.file("gateway.sock");
    drop(UnixListener::bind(&path).unwrap()); // leaves its file behind
    let (_process, mut stream) = reachable("wsgate-server", &["--listen", &format!("unix:{path}")], &path);
    stream.write_all(Request::plain("GET", "/live").head().as_bytes()).unwrap();
    assert_eq!(Response::read(&mut BufReader::new(&stream)).unwrap().status, 200);
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
}

#[test]
fn a_unix_socket_that_somebody_answers_on_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.file("gateway.sock");
    unix_echo(&path);
    let mut command = Command::new(program("wsgate-server"));
    let mut process = Process::spawn("wsgate-server", command.args(["--listen", &format!("unix:{path}")]));
    let status = process.wait(Duration::from_secs(10));
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(process.stderr().contains(&path), "{}", process.stderr());
    UnixStream::connect(&path).expect("who was there first is still there");
}

#[test]
fn the_client_listens_on_a_unix_socket() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let scratch = Scratch::new();
    let path = scratch.file("db.sock");
    let map = scratch.write("client.map", format!("unix:{path},{}\n", gateway.url("db")));
    let (_process, mut application) = reachable("wsgate-client", &["--map", &map], &path);
    application.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    application.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}
