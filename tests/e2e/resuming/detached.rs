//! What a thousand tunnels without a WebSocket cost, and that they are gone after the grace.

use std::io::Write;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::memory::{descriptors, raise_descriptor_limit, resident};
use e2e::programs::{Gateway, connect};
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;

use super::{GRACE, is};

const KIB: u64 = 1024;
const SESSIONS: usize = 1000;
const FIRST: usize = 20;
/// What one of them may cost in an unoptimised build.
const MOST: u64 = 16 * KIB;

#[test]
fn a_thousand_detached_sessions_cost_little_and_are_gone_after_the_grace() {
    raise_descriptor_limit();
    let (destination, accepted) = Destination::played();
    let dir = Scratch::new();
    let status = StatusSocket::at(format!("unix:{}", dir.file("status")));
    let flags = ["--status-listen", &status.address, GRACE, "20s"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let shows = |name: &str, expected: f64| {
        let series = format!("wsgate_server_{name}");
        eventually(&format!("{name} is {expected}"), || is(status.metric(&series), expected));
    };
    let pid = gateway.process.pid();
    let open = |count: usize| -> Vec<_> { (0..count).map(|_| opened(&gateway)).collect() };
    // The first ones fill what is filled once. They are lost with the others, so that none expires meanwhile.
    let first = open(FIRST);
    shows("sessions", FIRST as f64);
    let (before, idle) = (resident(pid), descriptors(pid) - 2 * FIRST);
    let others = open(SESSIONS - FIRST);
    shows("sessions", SESSIONS as f64);
    drop((first, others));
    shows("sessions_detached", SESSIONS as f64);
    let grown = resident(pid).saturating_sub(before);
    let each = grown / (SESSIONS - FIRST) as u64;
    assert!(each <= MOST, "{each} bytes each");
    eventually("a socket is left of each, the destination's", || {
        (descriptors(pid) <= idle + SESSIONS).then_some(())
    });
    shows("sessions_expired_total", SESSIONS as f64);
    shows("sessions", 0.0);
    shows("sessions_detached", 0.0);
    shows("buffered_bytes", 0.0);
    eventually("the descriptors come back", || (descriptors(pid) <= idle).then_some(()));
    // Tombstones stay, and what the allocator keeps; a second thousand takes the place of the first.
    drop(open(SESSIONS));
    shows("sessions_detached", SESSIONS as f64);
    let again = resident(pid).saturating_sub(before);
    assert!(again <= grown + SESSIONS as u64 * 2 * KIB, "{} KiB, then {} KiB", grown / KIB, again / KIB);
    drop(accepted);
}

/// A session that was confirmed by its client's first frame.
fn opened(gateway: &Gateway) -> std::net::TcpStream {
    let mut stream = connect(gateway.address);
    let request = Request::upgrade("/proxy/db").with("Wsgate-Tunnel", "2; window=1048576; resume=yes");
    let answer = request.ask_on(&stream);
    assert_eq!(answer.status, 101, "{answer:?}");
    let ack = [&[2][..], &0_u64.to_be_bytes(), &65_536_u32.to_be_bytes()].concat();
    stream.write_all(&Frame::binary(ack).encode()).unwrap();
    stream
}
