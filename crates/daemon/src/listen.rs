//! Listening: the address a user wrote, and the sockets bound to it.

mod address;
mod error;
mod service;
mod tcp;
mod unix;

use std::fmt;
use std::io;
use std::net::SocketAddr;

pub use address::{Host, InvalidAddress, ListenAddr};
pub use error::ListenError;
pub use unix::UnixListener;

/// The backlog asked for; the kernel lowers it to `net.core.somaxconn`, which is 4096 since Linux 5.4.
const BACKLOG: i32 = 4096;

/// A socket that listens, whether bound here or inherited.
#[derive(Debug)]
pub enum Listener {
    /// IPv4, IPv6 or both at once.
    Tcp(tokio::net::TcpListener),
    /// A unix socket; a file that this process made is removed on drop.
    Unix(UnixListener),
}

/// Binds every socket that `address` stands for, in the order they should be logged.
///
/// An unspecified host gives one socket for both families, a name one for each of its addresses (IPv4
/// first, all on the same port). Must be called inside a tokio runtime.
///
/// # Errors
/// [`ListenError`] names the address and, where one is known, the fix. Nothing stays bound.
pub async fn bind(address: &ListenAddr) -> Result<Vec<Listener>, ListenError> {
    match address {
        ListenAddr::Tcp { host, port } => {
            let sockets = tcp::bind(host, *port).await?;
            Ok(sockets.into_iter().map(Listener::Tcp).collect())
        }
        ListenAddr::Unix(path) => Ok(vec![Listener::Unix(unix::bind(path)?)]),
    }
}

impl Listener {
    /// The TCP address it is bound to; none for a unix socket.
    ///
    /// # Errors
    /// What getsockname(2) says, which is nothing for a socket that listens.
    pub fn tcp_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Listener::Tcp(socket) => socket.local_addr().map(Some),
            Listener::Unix(_) => Ok(None),
        }
    }
}

/// The bound address in the form that `--listen` takes, for the line logged at start.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Tcp(socket) => match socket.local_addr() {
                Ok(address) => address.fmt(f),
                Err(error) => write!(f, "unknown ({error})"),
            },
            Listener::Unix(socket) => socket.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ports(address: &str) -> Vec<SocketAddr> {
        let bound = bind(&address.parse().unwrap()).await.unwrap();
        bound.iter().map(|l| l.tcp_addr().unwrap().unwrap()).collect()
    }

    #[tokio::test]
    async fn binds_what_was_written() {
        let four = ports("127.0.0.1:0").await;
        assert!(matches!(four[..], [SocketAddr::V4(a)] if a.ip().is_loopback() && a.port() != 0));
        let name = ports("localhost:0").await;
        assert!(name[0].is_ipv4(), "IPv4 first: {name:?}");
        assert!(name.iter().all(|a| a.port() == name[0].port()), "one port: {name:?}");
    }

    #[tokio::test]
    async fn says_where_it_listens() {
        let bound = bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let text = bound[0].to_string();
        assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), text);
    }
}
