//! Idleness is no death: a peer of dialect 1 answers pings only while it reads, and it may not be reading.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::fake_gateway::FakeGateway;
use e2e::frame::{BINARY, Frame, PING};
use e2e::programs::{Client, Gateway};
use e2e::websocket::WebSocket;

/// Longer than the 25 s before a ping and the 20 s for its answer that dialect 2 knows.
const LONG: Duration = Duration::from_secs(48);

#[test]
fn the_server_keeps_a_client_that_answers_no_ping() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    thread::sleep(LONG); // the idleness is what this test is about
    websocket.send(&Frame::binary("still here"));
    let mut pings = 0;
    let echo = loop {
        let frame = websocket.receive().unwrap().expect("the tunnel is open");
        if frame.opcode() == BINARY {
            break frame;
        }
        assert_eq!(frame.opcode(), PING, "{frame:?}");
        pings += 1;
    };
    assert_eq!(echo.payload, b"still here");
    assert!(pings >= 1, "a balancer in between sees that the connection is used");
}

#[test]
fn the_client_keeps_a_gateway_that_answers_no_ping() {
    let gateway = FakeGateway::upgrading(|stream| {
        thread::sleep(LONG);
        (&stream).write_all(&Frame::binary("still here").unmasked().encode()).unwrap();
        let _ = Frame::read(&mut &stream);
    });
    let client = Client::start(&gateway.url(), &[]);
    let mut application = client.connect();
    application.set_read_timeout(Some(LONG * 2)).unwrap();
    let mut got = [0; 10];
    application.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
}
