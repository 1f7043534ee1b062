//! What a peer may send, and what costs it the connection: the codes of RFC 6455 section 7.4.1.

use std::io::{Read, Write};

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::fake_gateway::FakeGateway;
use e2e::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, header};
use e2e::http::get;
use e2e::programs::{Client, Gateway};
use e2e::websocket::{End, WebSocket};

const PROTOCOL: u16 = 1002;
const UNACCEPTABLE: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;

/// What no client may send, each with the code it is told.
fn wrong_of_client() -> Vec<(&'static str, Vec<u8>, u16)> {
    let one = |frame: Frame| frame.encode();
    vec![
        ("an unmasked frame", one(Frame::binary("x").unmasked()), PROTOCOL),
        ("an unmasked ping", one(Frame::new(PING, "x").unmasked()), PROTOCOL),
        ("reserved bit 1", one(Frame::binary("x").bits(0x40)), PROTOCOL),
        ("reserved bit 2", one(Frame::binary("x").bits(0x20)), PROTOCOL),
        ("reserved bit 3", one(Frame::binary("x").bits(0x10)), PROTOCOL),
        ("reserved opcode 3", one(Frame::new(3, "x")), PROTOCOL),
        ("reserved opcode 11", one(Frame::new(11, "x")), PROTOCOL),
        ("text", one(Frame::new(TEXT, "x")), UNACCEPTABLE),
        ("a fragmented ping", one(Frame::new(PING, "x").unfinished()), PROTOCOL),
        ("a fragmented close", one(Frame::close(1000, b"").unfinished()), PROTOCOL),
        ("a ping of 126 bytes", one(Frame::new(PING, vec![b'x'; 126])), PROTOCOL),
        ("a close of 126 bytes", one(Frame::close(1000, &[b'x'; 124])), PROTOCOL),
        ("a ping that announces a gigabyte", header(0x80 | PING, 1 << 30, true), PROTOCOL),
        ("a continuation of nothing", one(Frame::new(CONTINUATION, "x")), PROTOCOL),
        (
            "a message within a message",
            { [Frame::binary("x").unfinished().encode(), Frame::binary("y").encode()].concat() },
            PROTOCOL,
        ),
        ("more than 1 GiB", header(0x80 | BINARY, (1 << 30) + 1, true), TOO_BIG),
        ("a close of one byte", one(Frame::new(CLOSE, "x")), PROTOCOL),
        ("a close code that is never sent", one(Frame::close(1005, b"")), PROTOCOL),
        ("a close code below all", one(Frame::close(999, b"")), PROTOCOL),
        ("a close reason that is no UTF-8", one(Frame::close(1000, b"\xff\xfe")), NOT_UTF8),
    ]
}

#[test]
fn a_wrong_frame_costs_the_client_its_tunnel_and_nobody_elses() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut bystander = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    for (what, bytes, code) in wrong_of_client() {
        let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
        let victim = accepted.next();
        websocket.send_raw(&bytes).unwrap();
        assert_eq!(websocket.end(), End::Close(Some(code)), "{what}");
        drop(websocket);
        assert_ne!(End::of_stream(&victim), End::Silence, "{what}: the destination's leg ends too");
    }
    bystander.send(&Frame::binary("still here"));
    (&far).read_exact(&mut [0; 10]).expect("the bystander's tunnel");
    assert_eq!(get(gateway.address, "/live").status, 200);
    assert!(!gateway.process.stderr().contains("panicked"));
}

#[test]
fn a_length_with_the_highest_bit_is_not_believed() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    websocket.send_raw(&header(0x80 | BINARY, u64::MAX, true)).unwrap();
    let end = websocket.end();
    assert!(matches!(end, End::Close(Some(PROTOCOL | TOO_BIG))), "{end:?}");
}

#[test]
fn everything_that_is_allowed_passes() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    let frames = [
        Frame::binary(""),
        Frame::binary("one ").unfinished(),
        Frame::new(PONG, "nobody asked"),
        Frame::new(CONTINUATION, "").unfinished(),
        Frame::new(CONTINUATION, "two ").unfinished(),
        Frame::new(CONTINUATION, "three"),
    ];
    // A byte a segment: no boundary of the network is a boundary of a frame.
    for byte in frames.iter().flat_map(Frame::encode) {
        websocket.send_raw(&[byte]).unwrap();
    }
    assert_eq!(websocket.receive_payload(13), b"one two three");
    websocket.send(&Frame::new(CLOSE, ""));
    assert!(matches!(websocket.end(), End::Close(_)), "a close without a code is fine");
}

#[test]
fn frames_of_the_server_are_whole_binary_and_unmasked() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    websocket.send(&Frame::binary(vec![7; 1_000_000]));
    let mut count = 0;
    while count < 1_000_000 {
        let frame = websocket.receive().unwrap().unwrap();
        assert_eq!((frame.first, frame.masked), (0x80 | BINARY, false));
        assert!((1..=256 * 1024).contains(&frame.payload.len()), "{} bytes", frame.payload.len());
        count += frame.payload.len();
    }
}

#[test]
fn a_ping_is_answered_while_data_flows_and_between_fragments() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut to = &far;
            while to.write_all(&[7; 64 * 1024]).is_ok() {}
        });
        websocket.send(&Frame::binary("one ").unfinished());
        websocket.send(&Frame::new(PING, "are you there"));
        websocket.send(&Frame::new(CONTINUATION, "two"));
        let pong = loop {
            let frame = websocket.receive().unwrap().unwrap();
            if frame.opcode() != BINARY {
                break frame;
            }
        };
        assert_eq!(pong, Frame::new(PONG, "are you there").unmasked());
        let mut got = [0; 7];
        (&far).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"one two");
        websocket.stream().shutdown(std::net::Shutdown::Both).unwrap();
        flood.join().unwrap();
    });
}

#[test]
fn a_wrong_frame_of_a_gateway_resets_the_application() {
    for (what, bytes) in [
        ("a masked frame", Frame::binary("x").encode()),
        ("reserved bits", Frame::binary("x").unmasked().bits(0x40).encode()),
        ("text", Frame::new(TEXT, "x").unmasked().encode()),
        ("a continuation of nothing", Frame::new(CONTINUATION, "x").unmasked().encode()),
        ("a long ping", Frame::new(PING, vec![7; 126]).unmasked().encode()),
        ("more than 1 GiB", header(0x80 | BINARY, (1 << 30) + 1, false)),
    ] {
        let gateway = FakeGateway::upgrading(move |stream| {
            (&stream).write_all(&bytes).unwrap();
            let _ = End::of_stream(&stream);
        });
        let client = Client::start(&gateway.url(), &[]);
        assert_eq!(End::of_stream(&client.connect()), End::Reset, "{what}");
    }
}

#[test]
fn what_arrives_together_with_the_101_is_not_lost() {
    let gateway = FakeGateway::answering(|_| {
        let frame = String::from_utf8(Frame::binary("greeting").unmasked().encode().split_off(1)).unwrap();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {{accept}}\r\n\r\n\u{2}{frame}"
        )
    });
    // 0x02 alone is a first fragment: an answer of text can hold it, and MySQL's greeting comes like this.
    let client = Client::start(&gateway.url(), &[]);
    let application = client.connect();
    let mut got = [0; 8];
    (&application).read_exact(&mut got).unwrap();
    assert_eq!(&got, b"greeting");
}

#[test]
fn an_answer_to_another_key_is_no_upgrade() {
    let gateway = FakeGateway::answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: c29tZWJvZHkgZWxzZSdzIGtleSE=\r\n\r\n"
            .to_owned()
    });
    let client = Client::start(&gateway.url(), &["--connect-timeout", "2s"]);
    assert_ne!(End::of_stream(&client.connect()), End::Silence);
    eventually("it is reported", || client.process.stderr().contains("Sec-WebSocket-Accept").then_some(()));
}
