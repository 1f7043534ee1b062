//! TCP sockets: both families for an unspecified host, every address for a name.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::{BACKLOG, Host, ListenError};

/// How often a port that the kernel chose on the first address may be taken on another before we give up.
const ATTEMPTS: usize = 16;

pub(super) async fn bind(host: &Host, port: u16) -> Result<Vec<TcpListener>, ListenError> {
    match host {
        Host::Any => both_families(port),
        Host::Ip(ip) if ip.is_unspecified() => both_families(port),
        Host::Ip(ip) => {
            let address = SocketAddr::new(*ip, port);
            Ok(vec![open(address).map_err(ListenError::system(address))?])
        }
        Host::Name(name) => one_port(&resolve(name, port).await?),
    }
}

/// One IPv6 socket takes IPv4 too; a kernel without IPv6 gets an IPv4 one.
fn both_families(port: u16) -> Result<Vec<TcpListener>, ListenError> {
    let dual = open(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    let socket = match dual {
        Err(error) if absent(&error) => open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
        other => other,
    };
    Ok(vec![socket.map_err(ListenError::system(format_args!(":{port}")))?])
}

/// The addresses of `name`, each once, IPv4 first.
async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, ListenError> {
    let failed = |source| ListenError::Resolve { name: name.to_owned(), source };
    let mut addresses: Vec<_> = tokio::net::lookup_host((name, port)).await.map_err(failed)?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup();
    match addresses.is_empty() {
        true => Err(failed(io::Error::new(io::ErrorKind::NotFound, "it has no address"))),
        false => Ok(addresses),
    }
}

/// Binds all `addresses`; where they have port 0, on the port that the kernel chooses for the first.
fn one_port(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let chosen = addresses.iter().any(|address| address.port() == 0);
    for _ in 1..ATTEMPTS {
        match every(addresses) {
            Err(ListenError::System { source, .. })
                if chosen && source.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    every(addresses)
}

/// An address that this host does not have (`::1` of `localhost` where IPv6 is off) is left out as long as
/// another one is bound.
fn every(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let mut bound: Vec<TcpListener> = Vec::new();
    let mut left_out = None;
    for address in addresses {
        let mut address = *address;
        if let Some(first) = bound.first() {
            address.set_port(first.local_addr().map_err(ListenError::system(address))?.port());
        }
        match open(address) {
            Ok(socket) => bound.push(socket),
            Err(error) if absent(&error) => left_out = Some(ListenError::system(address)(error)),
            Err(error) => return Err(ListenError::system(address)(error)),
        }
    }
    match left_out {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let SocketAddr::V6(v6) = address {
        // Said in both cases, because the default is a sysctl (net.ipv6.bindv6only).
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    // Connections of a former process in TIME_WAIT must not keep the port from us.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(sockets: &[TcpListener]) -> Vec<SocketAddr> {
        sockets.iter().map(|s| s.local_addr().unwrap()).collect()
    }

    #[tokio::test]
    async fn an_unspecified_host_is_both_families() {
        let written =
            [Host::Any, Host::Ip(Ipv4Addr::UNSPECIFIED.into()), Host::Ip(Ipv6Addr::UNSPECIFIED.into())];
        for host in written {
            let sockets = bind(&host, 0).await.unwrap();
            let [address] = addresses(&sockets)[..] else { panic!("one socket") };
            let four = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
            std::net::TcpStream::connect(four).unwrap();
            if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
                let six = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port());
                std::net::TcpStream::connect(six).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_name_binds_all_its_addresses_on_one_port() {
        let two: Vec<SocketAddr> =
            ["127.0.0.1:0", "127.0.0.2:0"].iter().map(|a| a.parse().unwrap()).collect();
        let bound = addresses(&one_port(&two).unwrap());
        assert_eq!(bound.len(), 2);
        assert_eq!(bound[0].port(), bound[1].port());
    }

    #[tokio::test]
    async fn an_address_we_do_not_have_is_left_out_of_a_name() {
        // RFC 5737 and RFC 3849: no interface has these.
        let ours: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let foreign: SocketAddr = "192.0.2.1:0".parse().unwrap();
        assert_eq!(every(&[foreign, ours]).unwrap().len(), 1);
        let text = every(&[foreign]).unwrap_err().to_string();
        assert!(text.contains("192.0.2.1:0"), "{text}");
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_with_the_fix() {
        let first = open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let text = bind(&Host::Ip(address.ip()), address.port()).await.unwrap_err().to_string();
        assert!(text.contains(&address.to_string()) && text.contains("ss -ltnp"), "{text}");
    }

    #[tokio::test]
    async fn an_unknown_name_is_an_error_that_names_it() {
        // A label has 63 bytes at most (RFC 1035), so no name server is asked for this one.
        let name = "x".repeat(64);
        let error = bind(&Host::Name(name.clone()), 0).await.unwrap_err();
        assert!(
            matches!(&error, ListenError::Resolve { .. }) && error.to_string().contains(&name),
            "{error}"
        );
    }

    #[test]
    fn absent_is_about_the_address() {
        for (errno, expected) in
            [(Errno::AFNOSUPPORT, true), (Errno::ADDRNOTAVAIL, true), (Errno::ACCESS, false)]
        {
            assert_eq!(absent(&errno.into()), expected);
        }
    }
}
