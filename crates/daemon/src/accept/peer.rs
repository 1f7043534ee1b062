//! Who is at the other end.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address. Made by [`From`], which folds a v4-mapped address (RFC 4291, 2.5.5.2) to IPv4, so that
    /// no rule and no log line ever sees `::ffff:192.0.2.1`.
    Tcp(SocketAddr),
    /// A process of this host, by a unix socket.
    Unix,
}

impl Peer {
    /// The address without the port; none for a unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => Peer::Tcp(SocketAddr::new(ip.into(), address.port())),
            // Unchanged, with its scope.
            IpAddr::V6(_) => Peer::Tcp(address),
        }
    }
}

/// `address:port`, or `unix`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_v4_mapped() {
        let table = [
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
            ("[fe80::1%2]:7", "[fe80::1%2]:7"),
        ];
        for (address, printed) in table {
            let peer = Peer::from(address.parse::<SocketAddr>().unwrap());
            assert_eq!(peer.to_string(), printed);
            assert_eq!(peer.ip().unwrap().is_ipv4(), !printed.starts_with('['));
        }
        assert_eq!((Peer::Unix.to_string().as_str(), Peer::Unix.ip()), ("unix", None));
    }
}
