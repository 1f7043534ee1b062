//! `--listen unix:/path` and destinations behind unix sockets.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::process::{Process, Signal};
use e2e::programs::{Gateway, program};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;

fn start(socket: &str) -> Process {
    let mut command = Command::new(program("wsgate-server"));
    command.args(["--log-format", "json", "--listen", &format!("unix:{socket}")]);
    Process::spawn("wsgate-server", &mut command)
}

fn live(socket: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(Request::plain("GET", "/live").with("Connection", "close").head().as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn listen_on_a_unix_socket_of_mode_0660_in_place_of_a_dead_one() {
    let scratch = Scratch::new();
    let socket = scratch.file("gateway.sock");
    drop(UnixListener::bind(&socket).unwrap()); // the file of a program that crashed
    let mut gateway = start(&socket);
    let answer = eventually("it answers", || live(&socket));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");

    let mut second = start(&socket);
    let status = second.wait(Duration::from_secs(10));
    assert!(!status.success(), "somebody answers there: {}", second.stderr());
    assert!(second.stderr().contains(&socket), "{}", second.stderr());
    assert!(live(&socket).is_some(), "the first was not disturbed");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait(Duration::from_secs(10)).code(), Some(0));
}

#[test]
fn map_may_lead_to_a_unix_socket() {
    let scratch = Scratch::new();
    let socket = scratch.file("mysqld.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    let gateway = Gateway::start(&format!("db,unix:{socket}\n"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    websocket.send(&Frame::binary("hello"));
    assert_eq!(websocket.receive_payload(5), b"hello");
}
