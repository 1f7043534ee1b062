//! A wrong file is one error that names file and line, exit status 2, and nothing is bound.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::process::Process;
use e2e::programs::{Client, Gateway, addresses, program};
use e2e::scratch::Scratch;
use e2e::websocket::WebSocket;

/// A map with which this program would start.
fn good_map(name: &str) -> &'static str {
    if name == "wsgate-client" { "127.0.0.1:0,http://127.0.0.1:1/proxy/x\n" } else { "db,127.0.0.1:1\n" }
}

/// Runs a program that must end at once, and returns its exit status and stderr.
fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::spawn(name, Command::new(program(name)).args(arguments));
    let status = process.wait(Duration::from_secs(10));
    assert!(addresses(&process).is_empty(), "nothing is bound: {}", process.stderr());
    (status.code(), process.stderr())
}

#[test]
fn a_wrong_server_map_is_an_error_with_its_line() {
    // The address is taken: binding before reading the map would show.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    for (what, wrong) in [
        ("no comma", "mysql"),
        ("no address", "mysql,"),
        ("no name", ",127.0.0.1:3306"),
        ("no port", "mysql,127.0.0.1"),
        ("a port too large", "mysql,127.0.0.1:99999"),
        ("a port that is none", "mysql,127.0.0.1:port/x"),
        ("a duplicate", "first,127.0.0.1:2"),
        ("too many fields", "mysql,127.0.0.1:1,more"),
    ] {
        let scratch = Scratch::new();
        let map = scratch.write("server.map", format!("# destinations\nfirst,127.0.0.1:1\n\n{wrong}\n"));
        let flags = ["--log-format", "json", "--listen", &listen, "--map", &map];
        let (code, stderr) = run("wsgate-server", &flags);
        assert_eq!(code, Some(2), "{what}: {stderr}");
        assert!(stderr.contains(&format!("{map}:4")), "{what}: {stderr}");
    }
}

#[test]
fn a_wrong_client_map_is_an_error_with_its_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (what, wrong) in [
        ("no comma", "127.0.0.1:0"),
        ("no url", "127.0.0.1:0,"),
        ("no listen address", ",http://127.0.0.1:1/proxy/x"),
        ("a url of another scheme", "127.0.0.1:0,ftp://127.0.0.1/proxy/x"),
        ("a url without a host", "127.0.0.1:0,http:///proxy/x"),
        ("a listen address without a port", "127.0.0.1,http://127.0.0.1:1/proxy/x"),
    ] {
        let scratch = Scratch::new();
        let map =
            scratch.write("client.map", format!("# forwards\n{taken},http://127.0.0.1:1/proxy/x\n{wrong}\n"));
        let (code, stderr) = run("wsgate-client", &["--log-format", "json", "--map", &map]);
        assert_eq!(code, Some(2), "{what}: {stderr}");
        assert!(stderr.contains(&format!("{map}:3")), "{what}: {stderr}");
    }
}

#[test]
fn a_client_that_cannot_bind_one_line_serves_none() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let scratch = Scratch::new();
    let url = "http://127.0.0.1:1/proxy/x";
    let map = scratch.write("client.map", format!("127.0.0.1:0,{url}\n{taken},{url}\n"));
    let mut process = Process::spawn(
        "wsgate-client",
        Command::new(program("wsgate-client")).args(["--log-format", "json", "--map", &map]),
    );
    let status = process.wait(Duration::from_secs(10));
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let stderr = process.stderr();
    assert!(stderr.contains(&format!("{map}:2")) && stderr.contains(&taken.to_string()), "{stderr}");
}

#[test]
fn a_missing_file_is_an_error_with_its_name() {
    for (name, flag) in [
        ("wsgate-server", "--map"),
        ("wsgate-server", "--public-key"),
        ("wsgate-client", "--map"),
        ("wsgate-client", "--private-key"),
    ] {
        let scratch = Scratch::new();
        let (missing, map) = (scratch.file("missing"), scratch.write("map", good_map(name)));
        let (code, stderr) = run(name, &["--map", &map, flag, &missing]);
        assert_eq!(code, Some(2), "{name} {flag}: {stderr}");
        assert!(stderr.contains(&missing), "{name} {flag}: {stderr}");
    }
}

#[test]
fn a_file_that_is_no_key_is_an_error_that_shows_nothing_of_it() {
    for (name, flag) in [("wsgate-server", "--public-key"), ("wsgate-client", "--private-key")] {
        let scratch = Scratch::new();
        let (map, key) = (scratch.write("map", good_map(name)), scratch.write("key", "swordfish\n"));
        let (code, stderr) = run(name, &["--map", &map, flag, &key]);
        assert_eq!(code, Some(2), "{name}: {stderr}");
        assert!(stderr.contains(&key) && !stderr.contains("swordfish"), "{name}: {stderr}");
    }
}

#[test]
fn comments_blank_lines_and_spaces_are_fine() {
    let destination = Destination::echo();
    let address = destination.address;
    let map = format!("# a comment\n\n  db , {address} \n\t\ndb,{address}\nsecond#,{address}\n");
    let gateway = Gateway::start(&map, &[]);
    drop(WebSocket::open(gateway.address, "/proxy/db"));
    drop(WebSocket::open(gateway.address, "/proxy/second%23"));
    let url = gateway.url("db");
    let client = Client::with_map(&format!("# a comment\n\n 127.0.0.1:0 , {url} \n127.0.0.1:0,{url}\n"), &[]);
    drop(client.connect());
    eventually("both lines are served", || (addresses(&client.process).len() == 2).then_some(()));
}
