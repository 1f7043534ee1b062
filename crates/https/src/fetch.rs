//! A small HTTPS client: one request, one connection, one deadline for all of it.
//!
//! ```text
//! Request ──► address ──► TCP (──► CONNECT) ──► TLS ──► HTTP/1.1 ──► Response
//! ```

mod dial;
mod error;
mod request;
mod response;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use crate::ClientTls;
use crate::proxy::ProxyRule;

pub use error::FetchError;
pub use request::Request;
pub use response::Response;

/// The longest head of an answer, in bytes
const MAX_HEAD: usize = 64 * 1024;

/// How far a fetch may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For everything, from the look-up of the name to the last byte
    pub timeout: Duration,
    /// The longest body of an answer, in bytes
    pub max_body: usize,
    /// Whom to speak to in the clear
    pub plain: PlainHttp,
}

/// Who may be asked by plain `http:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// This machine: loopback addresses and `localhost`
    Loopback,
    /// Also the metadata server of a virtual machine, which speaks nothing else: 169.254.169.254, by
    /// address or as `metadata.google.internal`
    LoopbackAndMetadata,
}

/// 10 s, 256 KiB, plain `http:` to this machine only.
impl Default for Limits {
    fn default() -> Self {
        Limits { timeout: Duration::from_secs(10), max_body: 256 * 1024, plain: PlainHttp::Loopback }
    }
}

/// Fetches. Redirects are not followed: whoever configured a URL meant that server.
#[derive(Debug, Clone)]
pub struct Client {
    /// Whom to trust and what to show
    pub tls: Arc<ClientTls>,
    /// Which proxy to use
    pub proxies: ProxyRule,
    /// How far to go
    pub limits: Limits,
}

impl Client {
    /// Sends `request` and takes an answer with a status of 2xx.
    ///
    /// # Errors
    /// [`FetchError`]; any other status is [`FetchError::Redirect`] or [`FetchError::Status`].
    pub async fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let timeout = self.limits.timeout;
        let answer = tokio::time::timeout(timeout, self.exchange(request)).await;
        answer.unwrap_or(Err(FetchError::TimedOut(timeout)))
    }

    async fn exchange(&self, request: &Request) -> Result<Response, FetchError> {
        let broken = |error| FetchError::http(&request.url.host, error);
        let stream = TokioIo::new(self.dial(&request.url).await?);
        let mut handshake = http1::Builder::new();
        let handshake = handshake.max_buf_size(MAX_HEAD).handshake::<_, Full<bytes::Bytes>>(stream);
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request.to_http()?).await.map_err(broken)?;
        Response::read(answer, self.limits.max_body).await
    }
}
