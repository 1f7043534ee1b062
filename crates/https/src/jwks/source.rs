//! Where a JWK set comes from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::HeaderValue;
use http::header::ACCEPT;
use token::{MAX_JWK_SET, Origin};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::Url;
use crate::fetch::{Client, Request};

/// Where a JWK set is published.
#[derive(Debug, Clone)]
pub enum JwksSource {
    /// Somebody else's, fetched with this client; see [`Origin::Fetched`]
    Url(Client, Url),
    /// Our own; see [`Origin::File`]
    File(PathBuf),
}

/// The bytes of a set, not yet judged.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) bytes: Bytes,
    pub(super) max_age: Option<Duration>,
    pub(super) origin: Origin,
}

/// The tests have another one. Its text names it in logs.
pub(super) trait Source: fmt::Display + Send + Sync + 'static {
    fn document(&self) -> impl Future<Output = Result<Document>> + Send;
}

impl Source for JwksSource {
    async fn document(&self) -> Result<Document> {
        match self {
            JwksSource::Url(client, url) => fetch(client, url).await,
            JwksSource::File(path) => {
                let mut bytes = Vec::new();
                let file = File::open(path).await?;
                file.take(MAX_JWK_SET as u64 + 1).read_to_end(&mut bytes).await?;
                Ok(Document { bytes: bytes.into(), max_age: None, origin: Origin::File })
            }
        }
    }
}

async fn fetch(client: &Client, url: &Url) -> Result<Document> {
    let accept = HeaderValue::from_static("application/jwk-set+json, application/json;q=0.9, */*;q=0.1");
    let response = client.send(&Request::get(url.clone()).header(ACCEPT, accept)).await?;
    Ok(Document { bytes: response.body, max_age: response.max_age, origin: Origin::Fetched })
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JwksSource::Url(_, url) => write!(f, "{url}"),
            JwksSource::File(path) => write!(f, "{}", path.display()),
        }
    }
}
