//! The proxies in front: who is believed about the address of a client, for the log.

use std::net::IpAddr;

use daemon::accept::Peer;
use ipnet::IpNet;

use crate::Lines;

/// Whose `X-Real-IP` is logged.
#[derive(Clone, Debug)]
pub struct Proxies(Vec<IpNet>);

/// Who asked, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// By its address.
    Ip(IpAddr),
    /// A process of this host.
    Unix,
}

impl Proxies {
    /// If `trusted` is empty, loopback is; unix sockets always are.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        let loopback = || ["127.0.0.0/8", "::1/128"].iter().filter_map(|range| range.parse().ok()).collect();
        Self(if trusted.is_empty() { loopback() } else { trusted })
    }

    /// Whether what `peer` says of an address is believed.
    pub(crate) fn trust(&self, peer: Peer) -> bool {
        peer.ip().is_none_or(|ip| self.0.iter().any(|network| network.contains(&ip)))
    }

    /// The client that a trusted peer names, else the peer. What is not one valid address is not believed.
    pub(crate) fn client(&self, peer: Peer, real_ip: Lines<'_>) -> Client {
        let named = match real_ip {
            Lines::One(line) if self.trust(peer) => std::str::from_utf8(line).ok(),
            _ => None,
        };
        let ip = named.and_then(|text| text.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        ip.or(peer.ip()).map_or(Client::Unix, Client::Ip)
    }
}

/// The address, or `unix`.
impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Client::Ip(ip) => ip.fmt(f),
            Client::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn only_trusted_peers_name_the_client() {
        let default = Proxies::new(Vec::new());
        let own = Proxies::new(vec!["192.0.2.0/24".parse().unwrap()]);
        let named = |text| Lines::One(str::as_bytes(text));
        for (proxies, peer, real_ip, client) in [
            (&default, "127.0.0.1:7", named("203.0.113.9"), "203.0.113.9"),
            (&default, "[::1]:7", named("2001:db8::1"), "2001:db8::1"),
            (&default, "127.0.0.1:7", named("::ffff:203.0.113.9"), "203.0.113.9"),
            (&default, "127.0.0.1:7", Lines::None, "127.0.0.1"),
            (&default, "127.0.0.1:7", Lines::Several, "127.0.0.1"),
            (&default, "127.0.0.1:7", named(""), "127.0.0.1"),
            (&default, "127.0.0.1:7", named("203.0.113.9, 10.0.0.1"), "127.0.0.1"),
            (&default, "127.0.0.1:7", named("203.0.113.9:80"), "127.0.0.1"),
            (&default, "127.0.0.1:7", Lines::One(b"203.0.113.9\xff"), "127.0.0.1"),
            (&default, "192.0.2.1:7", named("203.0.113.9"), "192.0.2.1"),
            (&own, "192.0.2.1:7", named("203.0.113.9"), "203.0.113.9"),
            (&own, "[::ffff:192.0.2.1]:7", named("203.0.113.9"), "203.0.113.9"),
            (&own, "127.0.0.1:7", named("203.0.113.9"), "127.0.0.1"),
        ] {
            let peer = Peer::from(peer.parse::<SocketAddr>().unwrap());
            assert_eq!(proxies.client(peer, real_ip).to_string(), client, "{peer} {real_ip:?}");
        }
        assert_eq!(own.client(Peer::Unix, named("203.0.113.9")).to_string(), "203.0.113.9");
        assert_eq!(own.client(Peer::Unix, named("x")).to_string(), "unix");
    }
}
