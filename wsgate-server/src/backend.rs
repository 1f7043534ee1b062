//! Reaching a destination.

use std::time::Duration;

use relay::proxy::Version;
use relay::{Address, DialError, Socket};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::proxies::Ends;

/// A destination, and how it is to be spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) address: Address,
    /// It is told in a PROXY header who is connecting.
    pub(crate) proxy_protocol: Option<Version>,
}

impl Backend {
    /// Connects on behalf of the caller at `ends`; `limit` bounds it, `None` is the kernel's patience.
    pub(crate) async fn dial(&self, ends: &Ends, limit: Option<Duration>) -> Result<Socket, DialError> {
        let mut socket = relay::dial(&self.address, limit).await?;
        if let Some(version) = self.proxy_protocol {
            // A few dozen bytes for a fresh socket: this does not wait, except for a peer that is broken.
            let header = ends.header().write(version);
            let writing = socket.write_all(&header);
            let written = match limit {
                Some(limit) => timeout(limit, writing).await.map_err(|_| DialError::TimedOut(limit))?,
                None => writing.await,
            };
            written.map_err(DialError::Refused)?;
        }
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::accept::Peer;
    use relay::proxy::{Header, parse};
    use std::net::SocketAddr;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_destination_is_told_who_connects_if_it_wants_to_know() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let [source, destination] =
            ["192.0.2.1:5", "198.51.100.1:443"].map(|a| a.parse::<SocketAddr>().unwrap());
        let known = Ends { peer: source.into(), local: Some(destination) };
        let unknown = Ends { peer: Peer::Unix, local: None };
        for (proxy_protocol, ends, told) in [
            (None, known, None),
            (Some(Version::V1), known, Some(Header::Tcp { source, destination })),
            (Some(Version::V2), known, Some(Header::Tcp { source, destination })),
            (Some(Version::V2), unknown, Some(Header::Unknown)),
        ] {
            let backend = Backend { address: address.clone(), proxy_protocol };
            let mut socket = backend.dial(&ends, Some(Duration::from_secs(5))).await.unwrap();
            socket.write_all(b"payload").await.unwrap();
            drop(socket);
            let mut got = Vec::new();
            listener.accept().await.unwrap().0.read_to_end(&mut got).await.unwrap();
            let header = parse(&got).ok();
            assert_eq!(&got[header.as_ref().map_or(0, |parsed| parsed.length)..], b"payload");
            assert_eq!(header.map(|parsed| parsed.header), told);
        }
    }
}
