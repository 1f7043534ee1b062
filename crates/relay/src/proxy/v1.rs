//! Version 1, the line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Header, Pair, Parsed, Unparsed, folded};

pub(super) const START: &[u8] = b"PROXY ";

/// The longest line with its CRLF.
const LONGEST: usize = 107;
/// The shortest one: `PROXY UNKNOWN\r\n`.
const SHORTEST: usize = 15;

/// `bytes` begin like a line.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Unparsed> {
    let within = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = within.iter().position(|b| b"\r\n".contains(b)) else { return Err(missing(bytes, 2)) };
    match within[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r'] => return Err(missing(bytes, 1)),
        _ => return Err(Unparsed::Malformed("the line does not end in CRLF")),
    }
    let said = within.get(START.len()..end).unwrap_or_default();
    let header = header(said).map_err(Unparsed::Malformed)?;
    Ok(Parsed { header, length: end + 2 })
}

/// The line lacks `end` bytes of its CRLF, and more if it is shorter than the shortest.
fn missing(bytes: &[u8], end: usize) -> Unparsed {
    if bytes.len() + end > LONGEST {
        return Unparsed::Malformed("the line is longer than 107 bytes");
    }
    Unparsed::NeedMore(end.max(SHORTEST.saturating_sub(bytes.len())))
}

/// What stands between `PROXY ` and the CRLF. What follows UNKNOWN is ignored, as section 2.1 demands.
fn header(said: &[u8]) -> Result<Header, &'static str> {
    if said == b"UNKNOWN" || said.starts_with(b"UNKNOWN ") {
        return Ok(Header::Unknown);
    }
    let said = std::str::from_utf8(said).map_err(|_| "the line is not ASCII")?;
    let fields: Vec<&str> = said.split(' ').collect();
    match fields[..] {
        ["TCP4", from, to, from_port, to_port] => {
            tcp([ip::<Ipv4Addr>(from)?, ip::<Ipv4Addr>(to)?], [port(from_port)?, port(to_port)?])
        }
        ["TCP6", from, to, from_port, to_port] => {
            tcp([ip::<Ipv6Addr>(from)?, ip::<Ipv6Addr>(to)?], [port(from_port)?, port(to_port)?])
        }
        ["TCP4" | "TCP6", ..] => Err("not two addresses and two ports, with one space between"),
        _ => Err("the protocol is not TCP4, TCP6 or UNKNOWN"),
    }
}

fn tcp([from, to]: [IpAddr; 2], [from_port, to_port]: [u16; 2]) -> Result<Header, &'static str> {
    let source = folded(SocketAddr::new(from, from_port));
    Ok(Header::Tcp { source, destination: folded(SocketAddr::new(to, to_port)) })
}

fn ip<A: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, &'static str> {
    text.parse::<A>().map(Into::into).map_err(|_| "no address of the line's family")
}

/// Decimal, without sign or leading zeros.
fn port(text: &str) -> Result<u16, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or("no port from 0 to 65535")
}

pub(super) fn write(header: &Header) -> Vec<u8> {
    let line = match header {
        Header::Local | Header::Unknown | Header::Unix { .. } => "PROXY UNKNOWN\r\n".to_owned(),
        Header::Tcp { source, destination } => match Pair::of(*source, *destination) {
            Pair::V4([a, b]) => {
                format!("PROXY TCP4 {} {} {} {}\r\n", a.ip(), b.ip(), a.port(), b.port())
            }
            Pair::V6([(a, a_port), (b, b_port)]) => format!("PROXY TCP6 {a} {b} {a_port} {b_port}\r\n"),
        },
    };
    line.into_bytes()
}
