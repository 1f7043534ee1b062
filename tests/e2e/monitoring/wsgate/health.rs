//! The check: OK, WARNING, CRITICAL, UNKNOWN.

use std::fs;
use std::net::TcpListener;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::process::Signal;
use e2e::programs::Gateway;
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;
use e2e::websocket::WebSocket;

use super::{CLIENT, SERVER, Watched, shows, to};

#[test]
fn a_map_that_cannot_be_used_is_a_warning_until_it_can() {
    let destination = Destination::echo();
    let mut server = Watched::gateway(&to(destination.address), &[]);
    let good = (Some(0), "wsgate-server OK: ready\n".to_owned());
    assert_eq!(server.status.health(SERVER), good);
    let map = server.gateway.scratch().file("server.map");
    fs::write(&map, "nonsense\n").unwrap();
    server.gateway.process.signal(Signal::HUP);
    shows(&server.status, "wsgate_server_reload_ok", 0.0);
    let (code, line) = server.status.health(SERVER);
    assert!(code == Some(1) && line.starts_with("wsgate-server WARNING: the last reload failed"), "{line}");
    assert_eq!(server.status.document()["reload"]["stale"], true);
    fs::write(&map, to(destination.address)).unwrap();
    server.gateway.process.signal(Signal::HUP);
    shows(&server.status, "wsgate_server_reload_ok", 1.0);
    assert_eq!(server.status.health(SERVER), good);
}

#[test]
fn no_room_for_callers_is_critical_and_no_destination_a_warning() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &["--max-connections", "1"]);
    let open = WebSocket::open(server.gateway.address, "/proxy/db");
    let (code, line) = server.status.health(SERVER);
    assert!(code == Some(2) && line.contains("all of --max-connections are used"), "{line}");
    drop(open);
    shows(&server.status, "wsgate_server_sessions", 0.0);
    eventually("there is room again", || (server.status.health(SERVER).0 == Some(0)).then_some(()));
    let (code, line) = Watched::gateway("", &[]).status.health(SERVER);
    assert!(code == Some(1) && line.contains("no destinations"), "{line}");
}

#[test]
fn keys_that_cannot_be_fetched_are_critical() {
    let dir = Scratch::new();
    let status = StatusSocket::at(format!("unix:{}", dir.file("server.sock")));
    let jwks = format!("http://{}/jwk", e2e::destination::refusing());
    let flags = ["--iap-audience", "/a", "--iap-jwks", &jwks, "--status-listen", &status.address];
    let _gateway = Gateway::start("db,127.0.0.1:1\n", &flags);
    eventually("the status is answered", || status.try_get("/live"));
    assert_eq!(status.get("/ready"), (503, "identity-not-ready\n".to_owned()));
    let (code, line) = status.health(SERVER);
    assert!(code == Some(2) && line.contains("not ready: identity-not-ready"), "{line}");
}

#[test]
fn a_client_is_ok_and_a_line_that_cannot_be_bound_a_warning() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let (mut client, status) = server.client(&[]);
    assert_eq!(status.health(CLIENT), (Some(0), "wsgate-client OK: ready\n".to_owned()));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (map, url) = (client.scratch().file("client.map"), server.gateway.url("db"));
    fs::write(&map, format!("127.0.0.1:0,{url}\n{},{url}\n", taken.local_addr().unwrap())).unwrap();
    client.process.signal(Signal::HUP);
    shows(&status, "wsgate_client_unbound", 1.0);
    let (code, line) = status.health(CLIENT);
    assert!(code == Some(1) && line.contains("cannot be listened on"), "{line}");
    assert_eq!(status.document()["forwards"].as_array().unwrap().len(), 2);
    drop(taken);
    shows(&status, "wsgate_client_unbound", 0.0);
    shows(&status, "wsgate_client_listeners", 2.0);
}

#[test]
fn nobody_is_critical_and_silence_unknown() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for name in [SERVER, CLIENT] {
        let (code, line) = StatusSocket::at(address.clone()).health(name);
        assert!(code == Some(3) && line.starts_with(&format!("{name} UNKNOWN: ")), "{line}");
        let (code, line) = StatusSocket::at("unix:/nowhere/s.sock").health(name);
        assert!(code == Some(2) && line.starts_with(&format!("{name} CRITICAL: ")), "{line}");
    }
}
