//! Reaching an endpoint: its name is resolved at each attempt, then TCP, then the proxy if there is one,
//! then TLS.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use https::Host;
use https::proxy::{self, Proxy};
use relay::{Address, DialError, Socket};
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::retry::{Again, Budget};
use crate::stream::Stream;
use crate::tls::{self, Tls};

/// The longest that one attempt waits for TCP, name look-up included: a gateway that swallows packets
/// leaves time for a second attempt.
const DIAL: Duration = Duration::from_secs(10);
/// The longest that one attempt waits for a proxy, which dials meanwhile.
const PROXY: Duration = Duration::from_secs(15);
/// The longest that one attempt waits for TLS.
const TLS: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect")]
    Dial(#[source] DialError),
    /// The proxy, `host:port`, and why.
    #[error("cannot connect to the proxy {0}")]
    DialProxy(String, #[source] DialError),
    #[error(transparent)]
    Proxy(#[from] proxy::ConnectError),
    /// The proxy, `host:port`, which said nothing for so long.
    #[error("the proxy {0} did not answer within {1:?}")]
    SilentProxy(String, Duration),
    #[error("TLS failed{}", tls::bracketed(.0))]
    Tls(#[source] io::Error),
    #[error("TLS failed: no answer within {0:?}")]
    Silent(Duration),
    /// There is no TLS for an https URL; `Config::from_args` makes no configuration like that.
    #[error("TLS is not set up")]
    NoTls,
}

impl ConnectError {
    /// What failed on the way.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Dial(_) => "connect",
            Self::DialProxy(..) | Self::Proxy(_) | Self::SilentProxy(..) => "proxy",
            Self::Tls(_) | Self::Silent(_) | Self::NoTls => "tls",
        }
    }

    /// What a proxy decides about us stays decided; everything else on the way may get better.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Proxy(proxy::ConnectError::Credentials { .. } | proxy::ConnectError::NotHttp { .. }) => {
                Again::Never
            }
            Self::Proxy(proxy::ConnectError::Refused { status, .. }) if *status < 500 => Again::Never,
            _ => Again::Soon,
        }
    }
}

impl Config {
    /// The proxy through which `gateway` is reached; `None`: directly.
    pub(crate) fn proxy_for(&self, gateway: &Endpoint) -> Option<&Proxy> {
        self.proxies.proxy_for(&gateway.url)
    }

    /// The name to ask `gateway` for in TLS; `None`: plain HTTP.
    pub(crate) fn tls_name(&self, gateway: &Endpoint) -> Option<ServerName<'static>> {
        let own = gateway.tls.as_ref()?;
        Some(self.server_name.as_ref().unwrap_or(own).clone())
    }

    /// A connection to `gateway`, on which nothing has been asked yet.
    pub(crate) async fn connect(&self, gateway: &Endpoint, budget: Budget) -> Result<Stream, ConnectError> {
        let socket = match self.proxy_for(gateway) {
            None => dial(&gateway.address, budget).await.map_err(ConnectError::Dial)?,
            Some(proxy) => through(dial_proxy(proxy, budget).await?, proxy, gateway, budget).await?,
        };
        match self.tls_name(gateway) {
            None => Ok(Stream::Plain(socket)),
            Some(name) => Ok(Stream::Tls(Box::new(secure(socket, name, &self.tls, budget).await?))),
        }
    }
}

pub(crate) async fn dial(address: &Address, budget: Budget) -> Result<Socket, DialError> {
    relay::dial(address, Some(budget.at_most(DIAL))).await
}

/// A connection to `proxy`, which has not been asked yet.
pub(crate) async fn dial_proxy(proxy: &Proxy, budget: Budget) -> Result<Socket, ConnectError> {
    let failed = |error| ConnectError::DialProxy(proxy.to_string(), error);
    dial(&proxy_address(proxy), budget).await.map_err(failed)
}

pub(crate) fn proxy_address(proxy: &Proxy) -> Address {
    let host = match &proxy.host {
        Host::Name(name) => name.clone(),
        Host::Address(address) => address.to_string(),
    };
    Address::Tcp { host, port: proxy.port }
}

/// Has `proxy` connect to `gateway`.
pub(crate) async fn through(
    socket: Socket,
    proxy: &Proxy,
    gateway: &Endpoint,
    budget: Budget,
) -> Result<Socket, ConnectError> {
    let limit = budget.at_most(PROXY);
    let asking = proxy::connect(socket, proxy, &gateway.url.host, gateway.url.port);
    let asked = timeout(limit, asking).await;
    Ok(asked.map_err(|_| ConnectError::SilentProxy(proxy.to_string(), limit))??)
}

/// Shakes hands with whoever has a certificate for `name`.
pub(crate) async fn secure(
    socket: Socket,
    name: ServerName<'static>,
    tls: &Tls,
    budget: Budget,
) -> Result<TlsStream<Socket>, ConnectError> {
    let tls = tls.loaded().ok_or(ConnectError::NoTls)?;
    let limit = budget.at_most(TLS);
    let shaken = timeout(limit, tls.connect(name, socket)).await;
    shaken.map_err(|_| ConnectError::Silent(limit))?.map_err(ConnectError::Tls)
}

/// The result of `exchange`, while hyper's `connection` moves its bytes. No task of its own: what is
/// dropped half way leaves nothing behind.
pub(crate) async fn alongside<T>(exchange: impl Future<Output = T>, connection: impl Future) -> T {
    let mut exchange = pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => return result,
        _ = connection => {} // its error reaches the exchange too
    }
    exchange.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_decides_is_final() {
        let proxy = || "p:3128".to_owned();
        let refused = |status| proxy::ConnectError::Refused {
            proxy: proxy(),
            target: "gw:443".into(),
            status,
            reason: String::new(),
        };
        for (error, again) in [
            (proxy::ConnectError::Credentials { proxy: proxy() }, Again::Never),
            (proxy::ConnectError::NotHttp { proxy: proxy() }, Again::Never),
            (refused(403), Again::Never),
            (refused(502), Again::Soon),
            (refused(504), Again::Soon),
            (proxy::ConnectError::Closed { proxy: proxy() }, Again::Soon),
        ] {
            assert_eq!(ConnectError::from(error).again(), again);
        }
        assert_eq!(ConnectError::SilentProxy(proxy(), DIAL).again(), Again::Soon);
    }
}
