//! Who is behind a balancer: the PROXY protocol both ways, X-Forwarded-For, and whom the gateway believes.

use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use e2e::balancer::Balancer;
use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::frame::Frame;
use e2e::http::{Request, Response};
use e2e::process::Event;
use e2e::programs::{Gateway, connect};
use e2e::websocket::{End, WebSocket};

const UPGRADE: &str = "/proxy/db";

fn closed(gateway: &Gateway) -> Event {
    eventually("the end is logged", || gateway.process.events_of("tunnel closed").pop())
}

/// An upgrade behind these bytes.
fn behind(
    gateway: &Gateway,
    header: &[u8],
    request: &Request,
) -> std::io::Result<Result<WebSocket, Response>> {
    let mut stream = connect(gateway.address);
    stream.write_all(header)?;
    WebSocket::try_on(stream, request)
}

#[test]
fn proxy_protocol_in_from_haproxy_says_who_the_peer_is() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &["--proxy-protocol-in"]);
    let haproxy = Balancer::haproxy_telling_who(gateway.address);
    let ours = connect(haproxy.address);
    let us = ours.local_addr().unwrap();
    let mut websocket = WebSocket::try_on(ours, &Request::upgrade(UPGRADE)).unwrap().unwrap();
    websocket.send(&Frame::binary("hello"));
    assert_eq!(websocket.receive_payload(5), b"hello");
    drop(websocket);
    assert_eq!(closed(&gateway).text("peer"), Some(us.to_string()));
}

#[test]
fn proxy_protocol_in_of_both_versions_decides_who_is_a_stranger() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &["--proxy-protocol-in"]);
    let request = Request::upgrade(UPGRADE);
    let private: SocketAddr = "10.1.2.3:1000".parse().unwrap();
    let stranger: SocketAddr = "203.0.113.9:1000".parse().unwrap();
    let mapped: SocketAddr = "[::ffff:10.1.2.3]:1000".parse().unwrap();
    for (from, allowed) in [(private, true), (stranger, false), (mapped, true)] {
        for header in [version_1(from), version_2(from)] {
            let answer = behind(&gateway, &header, &request).unwrap();
            let status = answer.as_ref().map_or_else(|refusal| refusal.status, |_| 101);
            assert_eq!(
                status,
                if allowed { 101 } else { 403 },
                "{from}: {:?}",
                String::from_utf8_lossy(&header)
            );
        }
    }
    let peers: Vec<_> = eventually("four tunnels have ended", || {
        let ends = gateway.process.events_of("tunnel closed");
        (ends.len() == 4).then(|| ends.iter().filter_map(|end| end.text("peer")).collect())
    });
    assert!(peers.iter().all(|peer| peer == "10.1.2.3:1000"), "{peers:?}");
    // LOCAL is a health check of the balancer: about itself.
    let mut local = version_2(stranger);
    local[12] = 0x20;
    assert!(behind(&gateway, &local, &request).unwrap().is_ok(), "about nobody but the peer");
}

fn version_1(from: SocketAddr) -> Vec<u8> {
    let (family, to) = if from.is_ipv4() { ("TCP4", "192.0.2.1") } else { ("TCP6", "::1") };
    format!("PROXY {family} {} {to} {} 443\r\n", from.ip(), from.port()).into_bytes()
}

fn version_2(from: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    let (family, mut addresses) = match from.ip() {
        IpAddr::V4(ip) => (0x11, [ip.octets(), [192, 0, 2, 1]].concat()),
        IpAddr::V6(ip) => (0x21, [ip.octets(), [1; 16]].concat()),
    };
    addresses.extend(from.port().to_be_bytes());
    addresses.extend(443_u16.to_be_bytes());
    header.push(family);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

#[test]
fn a_trusted_peer_without_the_announced_header_is_closed() {
    let destination = Destination::echo();
    let gateway =
        Gateway::start(&destination.map("db"), &["--proxy-protocol-in", "--handshake-timeout", "2s"]);
    let plain = Request::upgrade(UPGRADE);
    for header in [&b""[..], b"PROXY TCP4 banana\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0"] {
        let answer = behind(&gateway, header, &plain);
        assert!(!matches!(answer, Ok(Ok(_))), "{header:?} was let in");
        assert!(!matches!(&answer, Ok(Err(refusal)) if refusal.status < 400), "{answer:?}");
    }
    let mut silent = connect(gateway.address);
    silent.write_all(b"PROXY TCP4 10.").unwrap();
    assert_ne!(End::of_stream(&silent), End::Silence, "a header that never ends is cut");
    assert_eq!(destination.dialled(), 0);
}

#[test]
fn trusted_proxy_says_whose_header_and_x_forwarded_for_count() {
    let destination = Destination::echo();
    let request = Request::upgrade(UPGRADE).with("X-Forwarded-For", "198.51.100.7");
    let forwarded = |flags: &[&str]| {
        let gateway = Gateway::start(&destination.map("db"), flags);
        drop(WebSocket::try_open(gateway.address, &request).unwrap());
        closed(&gateway).text("x-forwarded-for").unwrap_or_default()
    };
    assert_eq!(forwarded(&[]), "198.51.100.7", "loopback is trusted by default");
    assert_eq!(
        forwarded(&["--trusted-proxy", "192.0.2.0/24", "--trusted-proxy", "127.0.0.0/8"]),
        "198.51.100.7"
    );
    assert_eq!(forwarded(&["--trusted-proxy", "192.0.2.0/24"]), "");
    let flags = ["--proxy-protocol-in", "--trusted-proxy", "192.0.2.0/24"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    let from: SocketAddr = "10.1.2.3:1000".parse().unwrap();
    let lied = behind(&gateway, &version_1(from), &request);
    assert!(!matches!(lied, Ok(Ok(_))), "nobody reads a stranger's header");
    drop(WebSocket::try_open(gateway.address, &request).expect("who is not trusted need not send one"));
    let peer = closed(&gateway).text("peer").unwrap();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
}

#[test]
fn proxy_protocol_v2_out_tells_the_destination_who_connects() {
    let (destination, accepted) = Destination::played();
    let config = format!(
        "[[destination]]\nname = \"db\"\nupstream = \"{}\"\nproxy_protocol = \"v2\"\n",
        destination.address
    );
    let gateway = Gateway::configured(&config, &["--proxy-protocol-in"]);
    for from in ["10.1.2.3:1000", "[fd00::7]:2000"] {
        let from: SocketAddr = from.parse().unwrap();
        let mut websocket = behind(&gateway, &version_2(from), &Request::upgrade(UPGRADE)).unwrap().unwrap();
        websocket.send(&Frame::binary("hello"));
        let far = accepted.next();
        assert_eq!(source(&far), from);
        let mut got = [0; 5];
        (&far).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello", "the payload follows");
    }
}

/// Reads a header of version 2 and returns its source.
pub(crate) fn source(stream: &TcpStream) -> SocketAddr {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = [0; 16];
    reader.read_exact(&mut head).unwrap();
    assert_eq!(&head[..13], b"\r\n\r\n\0\r\nQUIT\n\x21", "signature, version 2, PROXY");
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[14], head[15]]))];
    reader.read_exact(&mut rest).unwrap();
    let (ip, port): (IpAddr, _) = match head[13] {
        0x11 => (<[u8; 4]>::try_from(&rest[..4]).unwrap().into(), &rest[8..10]),
        0x21 => (<[u8; 16]>::try_from(&rest[..16]).unwrap().into(), &rest[32..34]),
        family => panic!("TCP over IPv4 or IPv6, not {family:#x}"),
    };
    (ip, u16::from_be_bytes([port[0], port[1]])).into()
}
