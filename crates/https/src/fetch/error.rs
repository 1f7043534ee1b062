//! Why there is no answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

use crate::Host;
use crate::proxy::ConnectError;

/// Why there is no answer, or not the one that was hoped for. No text repeats what we sent.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Plain `http:` to somebody whom [`super::PlainHttp`] does not allow
    #[error("{0} is not on this machine; use https://")]
    Plain(Host),
    /// A name that no certificate can have
    #[error("{0} cannot be the name in a certificate")]
    Name(Host),
    /// The name has no address
    #[error("the name {host} has no address")]
    Resolve {
        /// The name
        host: Host,
        /// Why
        source: io::Error,
    },
    /// No address answers; the last one's error is told
    #[error("no connection to {host} at {address}")]
    Connect {
        /// Who was wanted, which may be the proxy
        host: Host,
        /// The address that was tried last
        address: SocketAddr,
        /// Why
        source: io::Error,
    },
    /// The proxy does not connect us
    #[error(transparent)]
    Proxy(#[from] ConnectError),
    /// The certificate is not trusted or is another's, or the server speaks no TLS
    #[error("no TLS with {host}")]
    Tls {
        /// Who was wanted
        host: Host,
        /// Why
        source: io::Error,
    },
    /// What is answered is not HTTP/1.1, or breaks off
    #[error("the answer is no HTTP/1.1, or breaks off")]
    Http(#[source] hyper::Error),
    /// 3xx
    #[error("the answer is a redirect to {location} ({status}); configure the URL where it ends")]
    Redirect {
        /// The status
        status: StatusCode,
        /// Where to, without the query
        location: String,
    },
    /// Neither 2xx nor 3xx
    #[error("the answer is {status}: {excerpt}")]
    Status {
        /// The status
        status: StatusCode,
        /// The start of the body: at most 1 KiB in one line, without control characters
        excerpt: String,
    },
    /// The body is longer than that many bytes
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The deadline has passed
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl FetchError {
    /// In TLS 1.3 a server that does not like our certificate says so only when we read.
    pub(super) fn http(host: &Host, error: hyper::Error) -> Self {
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            let inner = next.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
                return FetchError::Tls { host: host.clone(), source: io::Error::other(error) };
            }
            cause = next.source();
        }
        FetchError::Http(error)
    }
}
