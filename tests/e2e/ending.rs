//! How a tunnel of dialect 1 ends: half-closed peers keep their reply, a clean end is FIN, a reset is RST.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::fake_gateway::FakeGateway;
use e2e::frame::Frame;
use e2e::original::{Ending, Framing, OriginalClient, OriginalServer};
use e2e::pattern;
use e2e::programs::{Client, Gateway, Pair, half_close, reset};
use e2e::websocket::{End, WebSocket};

const REPLY: usize = 10_000_000;

#[test]
fn an_application_that_half_closes_still_gets_its_reply() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = request_and_half_close(&pair.client);
    let far = accepted.next();
    reply_slowly_to(&application, &far);
}

#[test]
fn an_application_that_half_closes_still_gets_its_reply_from_an_original_server() {
    let (destination, accepted) = Destination::played();
    let server = OriginalServer::start(destination.address);
    let client = Client::start(&server.url(), &[]);
    let application = request_and_half_close(&client);
    let far = accepted.next();
    reply_slowly_to(&application, &far);
    eventually("the original server sees the end", || server.endings().first().cloned());
    assert_eq!(server.endings(), [Ending::Normal], "Close 1000 is the only end it does not log as a failure");
}

#[test]
fn a_reply_that_outlasts_the_ten_seconds_after_a_half_close_does_not_look_complete() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = request_and_half_close(&pair.client);
    let far = accepted.next();
    let endless = thread::spawn(move || {
        let mut to = &far;
        while to.write_all(b"one more row\n").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(End::of_stream(&application), End::Reset, "it was cut");
    endless.join().unwrap();
}

#[test]
fn a_half_closed_application_that_reads_late_gets_everything() {
    read_late(Duration::from_secs(3), |result, total| {
        assert_eq!(result.expect("a pause is no reset"), total, "data that waits is no silence");
    });
}

#[test]
fn a_half_closed_application_that_reads_after_the_ten_seconds_gets_everything_or_a_reset() {
    read_late(Duration::from_secs(12), |result, total| {
        if let Ok(got) = result {
            assert_eq!(got, total, "an end that looks complete is complete");
        }
    });
}

/// Has an application half-close and then not read for so long; gives the judge what it read up to a clean
/// end, or the error, and the length of the reply.
fn read_late(pause: Duration, judge: fn(std::io::Result<usize>, usize)) {
    let total = 60_000_000; // more than the sockets on the way can hold
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let reply = vec![7; total];
    let application = request_and_half_close(&pair.client);
    let far = accepted.next();
    let reply = thread::spawn(move || {
        let (mut from, mut to) = (&far, &far);
        from.read_exact(&mut [0; 7]).unwrap();
        let _ = to.write_all(&reply); // a reset is an answer too
    });
    thread::sleep(pause); // a pager, say: the lateness is what this test is about
    let mut got = Vec::new();
    judge((&application).read_to_end(&mut got), total);
    reply.join().unwrap();
}

#[test]
fn a_destination_that_half_closes_still_gets_what_is_on_its_way() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = pair.connect();
    let far = accepted.next();
    half_close(&far);
    // Pieces less than a second apart: the silence that ends the tunnel has not come yet.
    for piece in 0..5 {
        (&application).write_all(&[piece; 1000]).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    let mut got = Vec::new();
    (&far).read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 5000);
    assert_eq!(End::of_stream(&application), End::Eof);
}

#[test]
fn a_reply_in_flight_is_delivered_before_the_end() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = pair.connect();
    let far = accepted.next();
    let writer = thread::spawn(move || {
        pattern::write(&far, 5, REPLY);
        drop(far); // FIN at once, with everything still in the buffers
    });
    pattern::read(&application, 5, REPLY);
    assert_eq!(End::of_stream(&application), End::Eof);
    writer.join().unwrap();
}

#[test]
fn an_original_client_gets_the_reply_and_then_close_1000() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    (&far).write_all(b"the reply").unwrap();
    half_close(&far);
    assert_eq!(websocket.receive_payload(9), b"the reply");
    assert_eq!(websocket.end(), End::Close(Some(1000)));
}

#[test]
fn an_original_client_that_goes_without_close_is_a_normal_end() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let client = OriginalClient::open(gateway.address, "/proxy/db", Framing::Fragments);
    client.sender().write_all(b"the last words").unwrap();
    client.close();
    let mut got = Vec::new();
    accepted.next().read_to_end(&mut got).expect("FIN, not RST");
    assert_eq!(got, b"the last words");
    let closed = eventually("the end is logged", || gateway.process.events_of("tunnel closed").pop());
    assert_eq!(closed.level(), "info", "{closed:?}");
}

#[test]
fn a_close_of_the_client_is_answered_and_ends_the_destination_with_fin() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut websocket = WebSocket::open(gateway.address, "/proxy/db");
    websocket.send(&Frame::binary("the last words"));
    websocket.send(&Frame::close(1000, b"bye"));
    assert_eq!(websocket.end(), End::Close(Some(1000)));
    let mut got = Vec::new();
    accepted.next().read_to_end(&mut got).expect("FIN, not RST");
    assert_eq!(got, b"the last words");
}

#[test]
fn an_original_server_that_goes_without_close_is_a_normal_end_for_the_application() {
    let gateway = FakeGateway::upgrading(|mut stream| {
        stream.write_all(&Frame::binary("all there is").unmasked().encode()).unwrap();
    });
    let client = Client::start(&gateway.url(), &[]);
    let mut got = Vec::new();
    client.connect().read_to_end(&mut got).expect("FIN, not RST");
    assert_eq!(got, b"all there is");
}

#[test]
fn a_reset_of_the_destination_resets_the_application() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = pair.connect();
    let far = accepted.next();
    (&far).write_all(b"half a dump").unwrap();
    (&application).read_exact(&mut [0; 11]).unwrap();
    reset(far);
    assert_eq!(End::of_stream(&application), End::Reset, "a truncated dump must not look complete");
}

#[test]
fn a_reset_of_the_application_resets_the_destination() {
    let (destination, accepted) = Destination::played();
    let pair = Pair::of_dialect_1(destination.address);
    let application = pair.connect();
    (&application).write_all(b"half a dump").unwrap();
    let far = accepted.next();
    (&far).read_exact(&mut [0; 11]).unwrap();
    reset(application);
    assert_eq!(End::of_stream(&far), End::Reset);
}

#[test]
fn a_reset_of_the_websocket_resets_the_destination() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let websocket = WebSocket::open(gateway.address, "/proxy/db");
    let far = accepted.next();
    reset(websocket.into_stream());
    assert_eq!(End::of_stream(&far), End::Reset);
}

#[test]
fn a_reset_of_the_websocket_resets_the_application() {
    let gateway = FakeGateway::upgrading(|stream| {
        (&stream).write_all(&Frame::binary("half a dump").unmasked().encode()).unwrap();
        let _ = Frame::read(&mut &stream); // the application has it, and says so
        reset(stream);
    });
    let client = Client::start(&gateway.url(), &[]);
    let application = client.connect();
    (&application).read_exact(&mut [0; 11]).unwrap();
    (&application).write_all(b"got it").unwrap();
    assert_eq!(End::of_stream(&application), End::Reset);
}

#[test]
fn the_end_of_a_tunnel_is_one_event_with_the_byte_counts() {
    let destination = Destination::echo();
    let pair = Pair::of_dialect_1(destination.address);
    let application = pair.connect();
    (&application).write_all(&[7; 12_345]).unwrap();
    (&application).read_exact(&mut [0; 12_345]).unwrap();
    drop(application);
    for (process, names) in
        [(&pair.gateway.process, ["read", "write"]), (&pair.client.process, ["up", "down"])]
    {
        let closed = eventually("the end is logged", || process.events_of("tunnel closed").pop());
        assert_eq!(names.map(|name| closed.number(name)), [Some(12_345); 2], "{closed:?}");
    }
    let events = pair.gateway.process.events_of("tunnel closed");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("destination").as_deref(), Some("db"));
    assert!(events[0].text("peer").unwrap().starts_with("127.0.0.1:"), "{events:?}");
}

fn request_and_half_close(client: &Client) -> TcpStream {
    let application = client.connect();
    (&application).write_all(b"request").unwrap();
    half_close(&application);
    application
}

/// Replies in parts with silences of less than a second between them, and expects everything at the other end.
fn reply_slowly_to(application: &TcpStream, far: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            pattern::read(application, 6, REPLY);
            assert_eq!(End::of_stream(application), End::Eof);
        });
        let (mut from, mut to) = (far, far);
        from.read_exact(&mut [0; 7]).unwrap();
        let mut pattern = pattern::Pattern::new(6);
        for _ in 0..5 {
            to.write_all(&pattern.take(REPLY / 5)).unwrap();
            thread::sleep(Duration::from_millis(300));
        }
    });
}
