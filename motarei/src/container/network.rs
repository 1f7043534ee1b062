//! How a container is on the network, and whether this host can reach it there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use bollard::models::{ContainerInspectResponse, EndpointSettings};

/// NetworkMode, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The host's own.
    Host,
    /// That of another container, by id, until its endpoints are known.
    Of(String),
    /// Its own networks, perhaps none.
    Own(Vec<Endpoint>),
}

/// An address of a container in one of its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    /// The network's gateway is one of this host's interfaces, its own end of the bridge: so the address is
    /// that container and no other. Networks of macvlan and ipvlan, and of remote engines, have no such.
    pub(crate) ours: bool,
}

/// Says whether a gateway is one of this host's interfaces.
pub(crate) type Ours<'a> = &'a dyn Fn(IpAddr) -> bool;

impl Network {
    /// From HostConfig.NetworkMode and NetworkSettings.Networks.
    pub(super) fn read(mode: &str, networks: HashMap<String, EndpointSettings>, ours: Ours<'_>) -> Self {
        match mode {
            "host" => Self::Host,
            "none" => Self::Own(Vec::new()),
            _ => match mode.strip_prefix("container:") {
                Some(id) => Self::Of(id.to_owned()),
                None => Self::Own(endpoints(networks, ours)),
            },
        }
    }

    /// That of a container whose network another one shares.
    pub(crate) fn shared(answer: Option<ContainerInspectResponse>, ours: Ours<'_>) -> Self {
        let Some(answer) = answer else { return Self::Own(Vec::new()) };
        let mode = answer.host_config.and_then(|config| config.network_mode).unwrap_or_default();
        let networks = answer.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        Self::read(&mode, networks, ours)
    }
}

/// Each network's IPv4 address, then its IPv6 one; the networks in the order of their names, so that the
/// order is the same each time.
fn endpoints(networks: HashMap<String, EndpointSettings>, ours: Ours<'_>) -> Vec<Endpoint> {
    let mut networks: Vec<_> = networks.into_iter().collect();
    networks.sort_by(|(a, _), (b, _)| a.cmp(b));
    let both = |(_, of): (String, EndpointSettings)| {
        [(of.ip_address, of.gateway), (of.global_ipv6_address, of.ipv6_gateway)]
    };
    let endpoint = |(address, gateway): (Option<String>, Option<String>)| {
        let gateway = gateway.and_then(|gateway| gateway.parse().ok());
        Some(Endpoint { address: address?.parse().ok()?, ours: gateway.is_some_and(ours) })
    };
    networks.into_iter().flat_map(both).filter_map(endpoint).collect()
}

/// Whether `address` is one of this host's interfaces: then the kernel sends from it to itself. Connecting
/// a datagram socket only looks up the route, it sends nothing.
pub(crate) fn is_ours(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    };
    source().is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_addresses() {
        for (address, ours) in [("127.0.0.1", true), ("192.0.2.1", false), ("2001:db8::1", false)] {
            assert_eq!(is_ours(address.parse().unwrap()), ours, "{address}");
        }
    }
}
