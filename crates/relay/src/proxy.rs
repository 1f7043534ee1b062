//! The PROXY protocol: who connected to the proxy in front, told before the first byte of payload.
//!
//! Source: "The PROXY protocol, versions 1 & 2", the specification that HAProxy publishes
//! (doc/proxy-protocol.txt), sections 2.1 and 2.2.
//!
//! Version 1 is a line of at most 107 bytes, in one of these forms:
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.2 51234 443\r\n       source, destination, source port, destination port
//! PROXY TCP6 2001:db8::1 2001:db8::2 51234 443\r\n
//! PROXY UNKNOWN\r\n                                     or a space and anything before the CRLF
//! ```
//!
//! Version 2 is binary, in network byte order:
//!
//! ```text
//!  0  0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a     signature
//! 12  20 LOCAL, 21 PROXY
//! 13  00 unspecified, 11 TCP4, 21 TCP6, 31 unix stream
//! 14  length of all that follows, 2 bytes
//! 16  TCP4: source 4, destination 4, source port 2, destination port 2
//!     TCP6: source 16, destination 16, source port 2, destination port 2
//!     unix: source 108, destination 108, each filled up with zeros
//!     then type-length-value triples, which are skipped here
//! ```
//!
//! A header is believed if its sender is: whom to believe is the caller's matter.

mod read;
mod v1;
mod v2;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

pub use read::{ReadError, read_header};

/// The longest header that is taken, in bytes. The specification allows 65,551; real ones, with the
/// certificate names that some senders add, stay below one kilobyte.
pub const MAX_HEADER: usize = 4096;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// The proxy itself connected, for a health check: who it is, is its TCP address.
    Local,
    /// The proxy carries somebody's connection and does not say whose.
    Unknown,
    /// The proxy carries a TCP connection. Both addresses are folded: IPv4 where they are v4-mapped
    /// (RFC 4291 section 2.5.5.2).
    Tcp {
        /// Who connected to the proxy.
        source: SocketAddr,
        /// The proxy's address to which it connected.
        destination: SocketAddr,
    },
    /// The proxy carries the connection of a unix socket. The paths are as told, and often empty.
    Unix {
        /// The path to which the connecting socket is bound.
        source: PathBuf,
        /// The path of the listening socket.
        destination: PathBuf,
    },
}

/// A version of the protocol, for writing; both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The line.
    V1,
    /// The binary header.
    V2,
}

/// A header, and how many bytes it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it says.
    pub header: Header,
    /// Its length in bytes; payload begins there.
    pub length: usize,
}

/// Why bytes are no header, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unparsed {
    /// They may be the beginning of one, of which so many bytes are missing at least: reading as many
    /// never reads a byte of payload.
    #[error("incomplete PROXY header")]
    NeedMore(usize),
    /// They are none, whatever follows; the text says why.
    #[error("bad PROXY header: {0}")]
    Malformed(&'static str),
}

/// Reads the header at the beginning of `bytes`, of either version. The same bytes with more behind them
/// give the same header.
///
/// # Errors
/// See [`Unparsed`].
pub fn parse(bytes: &[u8]) -> Result<Parsed, Unparsed> {
    if begins(bytes, v1::START) {
        v1::parse(bytes)
    } else if begins(bytes, &v2::SIGNATURE) {
        v2::parse(bytes)
    } else {
        Err(Unparsed::Malformed("it begins with neither version's signature"))
    }
}

/// Whether `bytes` begin with `start`, or are the beginning of it.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(a, b)| a == b)
}

impl Header {
    /// Who connected to the proxy, folded; `None` if the header does not say, or it was a unix socket:
    /// then the address of the TCP connection counts.
    pub fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { source, .. } => Some(*source),
            Self::Local | Self::Unknown | Self::Unix { .. } => None,
        }
    }

    /// The bytes of the header. Version 1 has the word UNKNOWN for all but TCP. Of addresses of different
    /// families the IPv4 one is written v4-mapped; an IPv6 scope and paths over 108 bytes are cut.
    pub fn write(&self, version: Version) -> Vec<u8> {
        match version {
            Version::V1 => v1::write(self),
            Version::V2 => v2::write(self),
        }
    }
}

impl FromStr for Version {
    type Err = &'static str;

    /// `v1` or `v2`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err("the versions of the PROXY protocol are v1 and v2"),
        }
    }
}

/// Two addresses that a header can hold: both of one family.
enum Pair {
    V4([SocketAddr; 2]),
    V6([(Ipv6Addr, u16); 2]),
}

impl Pair {
    fn of(source: SocketAddr, destination: SocketAddr) -> Self {
        let both = [folded(source), folded(destination)];
        if both.iter().all(SocketAddr::is_ipv4) {
            return Self::V4(both);
        }
        Self::V6(both.map(|address| match address.ip() {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped(), address.port()),
            IpAddr::V6(ip) => (ip, address.port()),
        }))
    }
}

/// Without scope, and IPv4 if v4-mapped.
fn folded(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
