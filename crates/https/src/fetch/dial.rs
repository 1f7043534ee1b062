//! From a URL to a stream on which HTTP is spoken.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Client, FetchError, PlainHttp};
use crate::{Host, Scheme, Url, proxy};

/// Of every cloud; Google's is at the same address
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Client {
    pub(super) async fn dial(&self, url: &Url) -> Result<Box<dyn Stream>, FetchError> {
        match url.scheme {
            Scheme::Plain => Ok(Box::new(self.dial_plain(url).await?)),
            Scheme::Tls => self.dial_tls(url).await,
        }
    }

    /// The addresses are judged, not the name alone: a name may lead anywhere.
    async fn dial_plain(&self, url: &Url) -> Result<TcpStream, FetchError> {
        let refused = || FetchError::Plain(url.host.clone());
        if !self.limits.plain.may_ask(&url.host) {
            return Err(refused());
        }
        let mut addresses = resolve(&url.host, url.port).await?;
        addresses.retain(|address| self.limits.plain.allows(address.ip()));
        if addresses.is_empty() { Err(refused()) } else { self.dial_each(&url.host, addresses).await }
    }

    async fn dial_tls(&self, url: &Url) -> Result<Box<dyn Stream>, FetchError> {
        let host = &url.host;
        let name = host.server_name().ok_or_else(|| FetchError::Name(host.clone()))?;
        let stream = match self.proxies.proxy_for(url) {
            None => self.dial_tcp(host, url.port).await?,
            Some(proxy) => {
                let stream = self.dial_tcp(&proxy.host, proxy.port).await?;
                proxy::connect(stream, proxy, host, url.port).await?
            }
        };
        let failed = |source| FetchError::Tls { host: host.clone(), source };
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(failed)?))
    }

    async fn dial_tcp(&self, host: &Host, port: u16) -> Result<TcpStream, FetchError> {
        self.dial_each(host, resolve(host, port).await?).await
    }

    /// The addresses in turn. None but the last may use up the time of the others.
    async fn dial_each(&self, host: &Host, addresses: Vec<SocketAddr>) -> Result<TcpStream, FetchError> {
        let share = self.limits.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let (last, others) = addresses.split_last().ok_or_else(|| no_address(host))?;
        for address in others {
            match connect(*address, share).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    tracing::debug!(%host, %address, %error, "no connection; trying the next address")
                }
            }
        }
        let failed = |source| FetchError::Connect { host: host.clone(), address: *last, source };
        connect(*last, self.limits.timeout).await.map_err(failed)
    }
}

impl PlainHttp {
    /// Before any name is looked up.
    fn may_ask(self, host: &Host) -> bool {
        match host {
            Host::Address(address) => self.allows(*address),
            name => name.is_loopback() || (self == PlainHttp::LoopbackAndMetadata && name.is_link_local()),
        }
    }

    fn allows(self, address: IpAddr) -> bool {
        address.is_loopback() || (self == PlainHttp::LoopbackAndMetadata && address == METADATA)
    }
}

async fn resolve(host: &Host, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    match host {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => {
            let failed = |source| FetchError::Resolve { host: host.clone(), source };
            Ok(lookup_host((name.as_str(), port)).await.map_err(failed)?.collect())
        }
    }
}

async fn connect(address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
    let stream = timeout(within, TcpStream::connect(address)).await.map_err(io::Error::from)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn no_address(host: &Host) -> FetchError {
    FetchError::Resolve { host: host.clone(), source: io::ErrorKind::NotFound.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PlainHttp::{Loopback, LoopbackAndMetadata};

    #[test]
    fn who_may_be_asked_in_the_clear() {
        let rows = [
            ("127.0.0.1", Loopback, true),
            ("[::1]", Loopback, true),
            ("localhost", Loopback, true),
            ("10.0.0.1", LoopbackAndMetadata, false),
            ("example.com", LoopbackAndMetadata, false),
            ("169.254.169.254", Loopback, false),
            ("169.254.169.254", LoopbackAndMetadata, true),
            ("169.254.169.253", LoopbackAndMetadata, false),
            ("metadata.google.internal", Loopback, false),
            ("metadata.google.internal", LoopbackAndMetadata, true),
            ("x.metadata.google.internal", LoopbackAndMetadata, false),
        ];
        for (host, plain, expected) in rows {
            assert_eq!(plain.may_ask(&host.parse().unwrap()), expected, "{host} {plain:?}");
        }
    }
}
