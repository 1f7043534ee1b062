//! The proxies in front: who is believed about the address of a caller.

use std::net::SocketAddr;

use daemon::accept::Peer;
use ipnet::IpNet;
use relay::proxy::Header;

use crate::protected::BALANCERS;

/// Whose PROXY header and X-Forwarded-For count, and whether the former is announced.
#[derive(Clone, Debug)]
pub struct Proxies {
    announced: bool,
    trusted: Vec<IpNet>,
}

/// The two ends of a caller's connection, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Who connected: to us, or to the proxy that is believed to say so.
    pub(crate) peer: Peer,
    /// The address to which it connected.
    pub(crate) local: Option<SocketAddr>,
}

impl Proxies {
    /// With `announced`, connections of trusted proxies begin with a PROXY header. If `trusted` is empty,
    /// loopback and the load balancers' ranges are; unix sockets always are.
    pub fn new(announced: bool, trusted: Vec<IpNet>) -> Self {
        let default = || {
            let loopback = ["127.0.0.0/8", "::1/128"];
            loopback.iter().chain(&BALANCERS).filter_map(|range| range.parse().ok()).collect()
        };
        Self { announced, trusted: if trusted.is_empty() { default() } else { trusted } }
    }

    /// Whether what `peer` says of an address is believed.
    pub(crate) fn trust(&self, peer: Peer) -> bool {
        // A peer's address is folded: a network of IPv4 is never compared with a v4-mapped address.
        peer.ip().is_none_or(|ip| self.trusted.iter().any(|network| network.contains(&ip)))
    }

    /// Whether the connection of `peer` begins with a PROXY header.
    pub(crate) fn announce(&self, peer: Peer) -> bool {
        self.announced && self.trust(peer)
    }
}

impl Ends {
    /// As the header of a trusted proxy says. What it does not say, is as it was: a proxy that checks
    /// whether we live, or does not know, stands for itself.
    pub(crate) fn told(self, header: &Header) -> Self {
        match header {
            Header::Tcp { source, destination } => {
                Self { peer: Peer::from(*source), local: Some(*destination) }
            }
            Header::Local | Header::Unknown | Header::Unix { .. } => self,
        }
    }

    /// What a destination is told that wants to know.
    pub(crate) fn header(&self) -> Header {
        match (self.peer, self.local) {
            (Peer::Tcp(source), Some(destination)) => Header::Tcp { source, destination },
            _ => Header::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        SocketAddr::new(ip.parse().unwrap(), 7).into()
    }

    #[test]
    fn whom_to_believe_is_listed() {
        let default = Proxies::new(true, Vec::new());
        let own = Proxies::new(true, vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for (ip, by_default, by_own) in [
            ("127.0.0.1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("::1", true, false),
            ("35.191.0.1", true, false),
            ("130.211.1.1", true, false),
            ("2600:2d00:1:1::5", true, false),
            ("10.0.0.1", false, false),
            ("fe80::1", false, false),
            ("203.0.113.1", false, false),
            ("192.0.2.9", false, true),
            ("::ffff:192.0.2.9", false, true),
            ("2001:db8::9", false, true),
        ] {
            assert_eq!((default.trust(peer(ip)), own.trust(peer(ip))), (by_default, by_own), "{ip}");
        }
        assert!(own.trust(Peer::Unix) && own.announce(Peer::Unix));
        assert!(!own.announce(peer("127.0.0.1")));
        assert!(!Proxies::new(false, Vec::new()).announce(peer("127.0.0.1")));
    }

    #[test]
    fn only_a_tcp_header_replaces_the_peer() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let ends = Ends { peer: peer("127.0.0.1"), local: Some(address("127.0.0.1:443")) };
        for header in [Header::Local, Header::Unknown] {
            assert_eq!(ends.told(&header), ends);
        }
        let header = Header::Tcp { source: address("192.0.2.1:5"), destination: address("198.51.100.1:443") };
        let told = ends.told(&header);
        assert_eq!(told.peer.to_string(), "192.0.2.1:5");
        assert_eq!(told.header(), header, "it is passed on");
        assert_eq!(Ends { peer: Peer::Unix, local: None }.header(), Header::Unknown);
    }
}
