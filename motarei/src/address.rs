//! At which addresses a port of a container may be dialled.
//!
//! The container's own address refuses honestly while nothing listens; a published port is docker-proxy,
//! which accepts before the application does. So the own address is the path wherever this host is known to
//! reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::container::{Container, Network};

/// `--connect-via`: which path to containers is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The container's own address; the published port if that cannot be reached.
    #[default]
    Auto,
    /// Always the container's own address.
    Container,
    /// Always the published port.
    Published,
}

impl FromStr for Via {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "container" => Ok(Self::Container),
            "published" => Ok(Self::Published),
            _ => Err("write auto, container or published"),
        }
    }
}

/// A path to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Container,
    Published,
}

impl Path {
    /// The word for logs and the status.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Published => "published",
        }
    }
}

/// How containers are to be reached, as the flags say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Which path.
    pub via: Via,
    /// Where ports are that are published on every address of this family of the engine's host; without one
    /// 127.0.0.1 and, for IPv6, ::1.
    pub published_ip: Option<IpAddr>,
    /// The engine runs on another host, whose loopback addresses are not ours.
    pub remote: bool,
}

/// The addresses of a port, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) container: Vec<SocketAddr>,
    pub(crate) published: Vec<SocketAddr>,
}

impl Addresses {
    /// Those of `port`. None is one of `own`, our listeners: that would be a loop.
    pub(crate) fn of(container: &Container, port: u16, reach: Reach, own: &[SocketAddr]) -> Self {
        let foreign = |address: &SocketAddr| !own.iter().any(|listener| is_same(*listener, *address));
        let container_side = match reach.via {
            Via::Published => Vec::new(),
            via => inside(&container.network, via).into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        };
        let published_side = match reach.via {
            Via::Container => Vec::new(),
            _ => published(container, port, reach),
        };
        Self {
            container: container_side.into_iter().filter(foreign).collect(),
            published: published_side.into_iter().filter(foreign).collect(),
        }
    }

    pub(crate) fn along(&self, path: Path) -> &[SocketAddr] {
        match path {
            Path::Container => &self.container,
            Path::Published => &self.published,
        }
    }
}

fn inside(network: &Network, via: Via) -> Vec<IpAddr> {
    match network {
        Network::Host => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Network::Of(_) => Vec::new(),
        Network::Own(endpoints) => {
            let reachable = endpoints.iter().filter(|endpoint| endpoint.ours || via == Via::Container);
            reachable.map(|endpoint| endpoint.address).collect()
        }
    }
}

/// The port may be published under another number for IPv6, and the IPv4 port of that number may be another
/// container's: an address goes with the port of its own family only.
fn published(container: &Container, port: u16, Reach { published_ip, remote, .. }: Reach) -> Vec<SocketAddr> {
    let at = |address: &SocketAddr| {
        let ip = match (address.ip(), published_ip) {
            (ip, _) if ip.is_loopback() && remote => return None,
            (ip, _) if !ip.is_unspecified() => ip,
            (any, Some(given)) => (any.is_ipv4() == given.is_ipv4()).then_some(given)?,
            (IpAddr::V4(_), None) => Ipv4Addr::LOCALHOST.into(),
            (IpAddr::V6(_), None) => Ipv6Addr::LOCALHOST.into(),
        };
        Some(SocketAddr::new(ip, address.port()))
    };
    let mut addresses: Vec<_> = container.ports.get(&port).into_iter().flatten().filter_map(at).collect();
    addresses.dedup();
    addresses
}

/// Whether dialling `address` reaches `listener`.
fn is_same(listener: SocketAddr, address: SocketAddr) -> bool {
    let any = listener.ip().is_unspecified() && address.ip().is_loopback();
    listener.port() == address.port() && (any || listener.ip().to_canonical() == address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::tests::{container, endpoint};

    fn shown(addresses: &Addresses) -> (String, String) {
        let join = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (join(&addresses.container), join(&addresses.published))
    }

    fn with(network: Network, published: &[&str]) -> Container {
        let published = published.iter().map(|address| address.parse().unwrap()).collect();
        Container { network, ports: [(8000, published)].into(), ..container("a", 1) }
    }

    #[test]
    fn chooses_by_network_and_flag() {
        let bridge = || Network::Own(vec![endpoint("172.17.0.2", true), endpoint("fd00::2", true)]);
        let macvlan = || Network::Own(vec![endpoint("10.0.0.2", false)]);
        let both = ["0.0.0.0:32768", "[::]:32769"];
        let auto = Reach::default();
        let via = |via| Reach { via, ..Reach::default() };
        let at = |ip: &str| Reach { published_ip: ip.parse().ok(), ..via(Via::Published) };
        let remote = Reach { remote: true, ..at("10.9.9.9") };
        let table = [
            (
                "bridge",
                bridge(),
                &both[..],
                auto,
                ("172.17.0.2:8000 [fd00::2]:8000", "127.0.0.1:32768 [::1]:32769"),
            ),
            ("bridge, not published", bridge(), &[], auto, ("172.17.0.2:8000 [fd00::2]:8000", "")),
            (
                "one host address",
                bridge(),
                &["127.0.0.1:18000"],
                via(Via::Published),
                ("", "127.0.0.1:18000"),
            ),
            ("macvlan", macvlan(), &both[..1], auto, ("", "127.0.0.1:32768")),
            ("macvlan, forced", macvlan(), &both[..1], via(Via::Container), ("10.0.0.2:8000", "")),
            ("host", Network::Host, &[], auto, ("127.0.0.1:8000 [::1]:8000", "")),
            ("none", Network::Own(vec![]), &[], auto, ("", "")),
            ("another's, unknown yet", Network::Of("b".into()), &[], auto, ("", "")),
            ("an address given", bridge(), &both[..], at("10.9.9.9"), ("", "10.9.9.9:32768")),
            ("an IPv6 address given", bridge(), &both[..], at("fd00::9"), ("", "[fd00::9]:32769")),
            ("an IPv6 address given for an IPv4 port", bridge(), &both[..1], at("fd00::9"), ("", "")),
            ("another host's loopback", bridge(), &["127.0.0.1:1", "0.0.0.0:2"], remote, ("", "10.9.9.9:2")),
        ];
        for (name, network, published, reach, (inside, outside)) in table {
            let addresses = Addresses::of(&with(network, published), 8000, reach, &[]);
            assert_eq!(shown(&addresses), (inside.to_owned(), outside.to_owned()), "{name}");
        }
    }

    #[test]
    fn never_dials_our_own_listener() {
        for (own, host, published) in [
            ("0.0.0.0:8000", "", "127.0.0.1:32768"),
            ("[::]:8000", "", "127.0.0.1:32768"),
            ("127.0.0.1:8000", "[::1]:8000", "127.0.0.1:32768"),
            ("127.0.0.1:32768", "127.0.0.1:8000 [::1]:8000", ""),
            ("10.0.0.1:8000", "127.0.0.1:8000 [::1]:8000", "127.0.0.1:32768"),
        ] {
            let container = with(Network::Host, &["0.0.0.0:32768"]);
            let addresses = Addresses::of(&container, 8000, Reach::default(), &[own.parse().unwrap()]);
            assert_eq!(shown(&addresses), (host.to_owned(), published.to_owned()), "{own}");
        }
    }
}
