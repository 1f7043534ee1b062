//! Which dialect is spoken, what agreeing on it costs, and what a cut means in dialect 1.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use e2e::cutter::{Cutter, How};
use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::fake_gateway::{header_of, read_head, switching};
use e2e::frame::{BINARY, Frame};
use e2e::http::Request;
use e2e::original::{Framing, OriginalClient, OriginalServer};
use e2e::programs::{Client, Gateway, patient};
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;
use e2e::websocket::{End, WebSocket};
use serde_json::Value;

use super::integrity::Tunnel;

const NEW: &str = "2; window=1048576; resume=yes";

fn listed(status: &StatusSocket) -> Value {
    eventually("it is listed", || {
        let document: Value = serde_json::from_str(&status.try_get("/status?sessions=1")?.1).unwrap();
        Some(document["session_list"][0].clone()).filter(|row| !row.is_null())
    })
}

#[test]
fn status_and_audit_log_say_which_dialect_is_spoken() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    for status in [&path.status, &path.client_status] {
        assert_eq!(listed(status)["dialect"], 2);
    }
    assert_eq!(path.audited("open", 1)["dialect"], 2);
    assert_eq!(tunnel.finish()["dialect"], 2);
    let original = OriginalClient::open(path.gateway.address, "/proxy/db", Framing::Fragments);
    assert_eq!(path.audited("open", 2)["dialect"], 1);
    assert_eq!(listed(&path.status)["dialect"], 1);
    original.close();
    assert_eq!(path.audited("close", 2)["dialect"], 1);
}

#[test]
fn a_client_of_an_original_server_says_dialect_1() {
    let destination = Destination::echo();
    let server = OriginalServer::start(destination.address);
    let dir = Scratch::new();
    let status = StatusSocket::at(format!("unix:{}", dir.file("client")));
    let client = Client::start(&server.url(), &["--status-listen", &status.address]);
    let _application = client.connect();
    let session = listed(&status);
    assert_eq!((&session["dialect"], &session["resumes"]), (&1.into(), &0.into()), "{session}");
}

/// The destination speaks first, as MySQL does: its first bytes come with no word of the client's after the
/// upgrade, as in dialect 1.
#[test]
fn the_destinations_first_bytes_wait_for_no_round_trip() {
    let destination = Destination::serving(|stream| {
        let _ = (&stream).write_all(b"greeting");
        let _ = (&stream).read(&mut [0]);
    });
    let gateway = Gateway::start(&destination.map("db"), &[]);
    for (request, body) in [
        (Request::upgrade("/proxy/db"), &b"greeting"[..]),
        (Request::upgrade("/proxy/db").with("Wsgate-Tunnel", NEW), b"\x01greeting"),
    ] {
        let mut websocket = WebSocket::try_open(gateway.address, &request).unwrap();
        let payload = loop {
            let frame = websocket.receive().unwrap().expect("it comes");
            if frame.opcode() == BINARY && frame.payload.first() != Some(&2) {
                break frame.payload;
            }
        };
        assert_eq!(payload, body);
    }
}

/// A gateway that the test plays, and what the client had said when it was upgraded.
fn upgrade(listener: &TcpListener, header: &str) -> (TcpStream, Vec<String>) {
    let (mut stream, _) = listener.accept().unwrap();
    patient(&stream);
    let head = read_head(&stream).unwrap();
    // What is not in the first flight would come now.
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let more = (&stream).read(&mut [0; 16]);
    assert!(more.is_err(), "nothing is sent before the 101: {more:?}");
    patient(&stream);
    let answer = switching(&head).replace("\r\n\r\n", &format!("\r\n{header}\r\n"));
    stream.write_all(answer.as_bytes()).unwrap();
    (stream, head)
}

#[test]
fn the_clients_first_bytes_wait_for_no_round_trip() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::start(&format!("http://{}/proxy/db", listener.local_addr().unwrap()), &[]);
    let agreed =
        "Wsgate-Tunnel: 2; window=1048576; session=AAECAwQFBgcICQoLDA0ODw; instance=00c0ffee; grace=9\r\n";
    for (header, body) in [("", &b"question"[..]), (agreed, b"\x01question")] {
        let mut application = client.connect();
        application.write_all(b"question").unwrap();
        let (stream, head) = upgrade(&listener, header);
        assert_eq!(header_of(&head, "Wsgate-Tunnel"), Some(NEW), "the same offer to both");
        // The gateway says nothing, and gets the question.
        let payload = loop {
            let frame = Frame::read(&mut &stream).unwrap().expect("it comes");
            if frame.payload.first() != Some(&2) {
                break frame.payload;
            }
        };
        assert_eq!(payload, body);
    }
}

#[test]
fn a_cut_of_dialect_1_resets_both_ends() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let cutter = Cutter::to(gateway.address);
    let original = OriginalClient::open(cutter.address, "/proxy/db", Framing::Fragments);
    original.sender().write_all(b"x").unwrap();
    let mut far = accepted.next();
    far.read_exact(&mut [0]).unwrap();
    cutter.cut(How::Reset);
    assert_eq!(End::of_stream(&far), End::Reset);
    let server = OriginalServer::start(destination.address);
    let cutter = Cutter::to(server.address());
    let client = Client::start(&cutter.url("db"), &[]);
    let mut application = client.connect();
    application.write_all(b"x").unwrap();
    let mut far = accepted.next();
    far.read_exact(&mut [0]).unwrap();
    cutter.cut(How::Reset);
    assert_eq!(End::of_stream(&application), End::Reset);
    assert_eq!(cutter.counts().connections, 1, "there is nothing to come back to");
}
