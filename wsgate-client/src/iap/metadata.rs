//! Identity tokens of the machine's own service account, from its metadata server.
//!
//! ```text
//! GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=AUD&format=full
//! Metadata-Flavor: Google
//! ```

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use http::{HeaderName, HeaderValue};
use https::Url;
use https::fetch::{Client, FetchError, PlainHttp, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::no_identity;
use crate::fetch::{AskError, ask};
use crate::held::Held;
use crate::iap::Environment;
use crate::source::SourceError;

/// The server is on the machine's own link: it answers soon, or is not there.
const ANSWER: Duration = Duration::from_secs(3);
/// By name, and where a machine that does not know the name has it.
const HOSTS: [&str; 2] = ["metadata.google.internal", "169.254.169.254"];
const HOST_VARIABLE: &str = "GCE_METADATA_HOST";
const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");

/// A metadata server.
#[derive(Debug)]
pub(crate) struct Metadata {
    client: Client,
    /// Asked in turn, if the one before is not there.
    hosts: Vec<Url>,
}

impl Metadata {
    pub(super) fn new(mut client: Client, environment: Environment<'_>) -> Result<Self> {
        client.limits.timeout = ANSWER;
        client.limits.plain = PlainHttp::LoopbackAndMetadata;
        let given = environment(HOST_VARIABLE).filter(|host| !host.is_empty());
        let hosts = match &given {
            Some(host) => vec![host.as_str()],
            None => HOSTS.to_vec(),
        };
        let url = |host: &&str| format!("http://{host}/").parse::<Url>().context(HOST_VARIABLE);
        Ok(Self { client, hosts: hosts.iter().map(url).collect::<Result<_>>()? })
    }

    pub(super) async fn identity(&self, audience: &str, now: SystemTime) -> Result<Held, SourceError> {
        let mut absent = AskError::Useless("no metadata server");
        for host in &self.hosts {
            let request = request(host, audience).ok_or(SourceError::Clock)?;
            match self.ask(&request, now).await {
                Ok(held) => return Ok(held),
                Err(error) if is_absent(&error) => absent = error,
                Err(error) => return Err(no_identity(&request, error)),
            }
        }
        Err(SourceError::NoMetadata(absent))
    }

    async fn ask(&self, request: &Request, now: SystemTime) -> Result<Held, AskError> {
        let answer = ask(&self.client, request).await?;
        let token = std::str::from_utf8(&answer).map_err(|_| AskError::Useless("no text"))?;
        Ok(Held::identity(token.trim(), now)?)
    }
}

/// Whether nobody is there to answer.
fn is_absent(error: &AskError) -> bool {
    use FetchError::{Connect, Resolve, TimedOut};
    matches!(error, AskError::Fetch(Resolve { .. } | Connect { .. } | TimedOut(_)))
}

fn request(host: &Url, audience: &str) -> Option<Request> {
    let audience = utf8_percent_encode(audience, NON_ALPHANUMERIC);
    let path = "computeMetadata/v1/instance/service-accounts/default/identity";
    let url = format!("{host}{path}?audience={audience}&format=full").parse().ok()?;
    Some(Request::get(url).header(FLAVOR, HeaderValue::from_static("Google")))
}
