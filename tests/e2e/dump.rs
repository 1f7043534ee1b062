//! `--dump-tcp`: hex and ascii of the bytes that were read, and of nothing else.

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::programs::Gateway;
use e2e::websocket::WebSocket;

/// Has a short echo after a long one and returns the log at the end of the tunnel.
///
/// The echo is in capitals, so that the directions differ.
fn dumped(level: &str) -> String {
    let destination = Destination::serving(|mut stream| {
        use std::io::{Read, Write};
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            piece[..count].make_ascii_uppercase();
            if stream.write_all(&piece[..count]).is_err() {
                break;
            }
        }
    });
    let gateway = Gateway::start(&destination.map("db"), &["--dump-tcp", level]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    for text in ["question-leftover", "brief"] {
        websocket.send(&Frame::binary(text));
        websocket.receive_payload(text.len());
    }
    drop(websocket);
    eventually("the tunnel has ended", || gateway.process.events_of("tunnel closed").pop());
    assert_eq!(
        gateway.process.warned("--dump-tcp"),
        level != "0",
        "that payload is logged is worth a warning"
    );
    gateway.process.stderr()
}

/// The text without whatever a dump puts between bytes.
fn squeezed(log: &str) -> String {
    log.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn level_0_shows_no_payload() {
    let log = dumped("0");
    for text in ["question", "QUESTION", "brief", "BRIEF"] {
        assert!(!log.contains(text) && !squeezed(&log).contains(&hex(text)), "{text}: {log}");
    }
}

#[test]
fn level_1_shows_what_the_client_sent() {
    let log = dumped("1");
    for text in ["question", "brief"] {
        assert!(log.contains(text), "{text} as ascii: {log}");
        assert!(squeezed(&log).contains(&hex(text)), "{text} as hex: {log}");
    }
    assert!(!log.contains("BRIEF"), "not what the destination sent: {log}");
}

#[test]
fn level_2_shows_both_ways() {
    let log = dumped("2");
    for text in ["question", "brief", "QUESTION", "BRIEF"] {
        assert!(log.contains(text), "{text} as ascii: {log}");
        assert!(squeezed(&log).contains(&hex(text)), "{text} as hex: {log}");
    }
}

#[test]
fn a_dump_shows_only_the_bytes_read() {
    let log = dumped("1");
    assert_eq!(squeezed(&log).matches(&hex("left")).count(), 1, "no rest of an earlier read: {log}");
}
