//! The configuration: every file read, every key parsed, every address typed, before anything is bound.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest;
use daemon::listen::ListenAddr;
use http::header::{self, HeaderMap};
use https::proxy::ProxyRule;
use rustls_pki_types::ServerName;

use crate::args::{Args, Command};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::headers;
use crate::map::Map;
use crate::offer::Offer;
use crate::retry::Budget;
use crate::tls::Tls;

/// What `wsgate-client` runs on.
#[derive(Debug)]
pub struct Config {
    /// The file that says where to listen, and where that leads; `None` if there is one tunnel only.
    pub map: Option<PathBuf>,
    /// What the user adds to the upgrade; replaces what we would send.
    pub headers: HeaderMap,
    /// Who we are, to the gateway.
    pub credential: Credential,
    /// For the https URLs, of the token endpoint too.
    pub tls: Tls,
    /// The name that a gateway's certificate must have; `None`: its URL's host.
    pub server_name: Option<ServerName<'static>>,
    /// Which gateways are reached through a proxy.
    pub proxies: ProxyRule,
    /// How long a local connection may wait for its tunnel; `None`: for ever.
    pub connect_timeout: Option<Duration>,
    /// What is offered to gateways that can resume tunnels.
    pub offer: Offer,
    /// How long tunnels may live on after the signal to stop.
    pub shutdown_timeout: Duration,
    /// Where health and metrics are answered.
    pub status_listen: Option<ListenAddr>,
    /// What tells two configurations apart: the flags, without secrets, as a hash.
    pub digest: String,
}

/// What there is to do.
#[derive(Debug)]
pub enum Work {
    /// Listen as the map says.
    Listen(Map),
    /// One tunnel on stdin and stdout.
    Stdio(Endpoint),
    /// Find out what works on the way there.
    Check(Endpoint),
}

impl Config {
    /// Reads the files that the flags name.
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn from_args(args: Args) -> Result<(Self, Work)> {
        Self::in_environment(args, &|name| std::env::var(name).ok())
    }

    /// As [`Config::from_args`], with the variables that `environment` gives instead of the process's.
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn in_environment(args: Args, environment: &dyn Fn(&str) -> Option<String>) -> Result<(Self, Work)> {
        let work = Work::from_args(&args)?;
        let digest = digest(&args);
        let headers = headers::parse(args.headers.iter().map(|text| text.0.as_str()))?;
        let credential = Credential::from_args(&args, environment)?;
        for (name, flag) in credential.sets() {
            if headers.contains_key(&name) {
                bail!("-H {name} contradicts {flag}, which sets it; leave one out");
            }
        }
        if args.enable_compression {
            tracing::warn!("--enable-compression has no effect: permessage-deflate is not offered");
        }
        let tls = Tls::from_args(&args)?;
        if work.gateways().any(|gateway| gateway.tls.is_some()) {
            tls.ready()?;
        }
        let secret = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
        let gives_secret =
            !credential.sets().is_empty() || secret.iter().any(|name| headers.contains_key(name));
        for gateway in work.gateways().filter(|gateway| gives_secret && is_overheard(gateway)) {
            tracing::warn!(%gateway, "what proves who we are goes over the network in the clear; use https");
        }
        let proxy = args.proxy.as_ref().map(|text| text.0.as_str());
        let proxies = ProxyRule::new(proxy, environment)?;
        let config = Self {
            map: args.map,
            headers,
            credential,
            tls,
            server_name: args.tls_server_name.map(server_name).transpose()?,
            proxies,
            connect_timeout: Some(args.connect_timeout.0).filter(|time| !time.is_zero()), // as in Go
            offer: Offer::from_args(&args.resume),
            shutdown_timeout: args.shutdown_timeout.0,
            status_listen: args.status.status_listen,
            digest,
        };
        Ok((config, work))
    }

    /// Gets the first of the tokens that need somebody else, so that a wrong key or client id shows at start.
    ///
    /// # Errors
    /// What the source of the tokens said, or why it could not be asked.
    pub async fn first_token(&self) -> Result<()> {
        self.credential.first_token(Budget::new(self.connect_timeout)).await?;
        Ok(())
    }

    /// Reads the files again; gives the map, which is not here.
    ///
    /// # Errors
    /// The first thing wrong; then everything is as it was.
    pub(crate) fn reload(&self) -> Result<Option<Map>> {
        let map = self.map.as_deref().map(Map::load).transpose()?;
        let gateways = map.iter().flat_map(|map| &map.lines).map(|line| &line.gateway);
        if gateways.into_iter().any(|gateway| gateway.tls.is_some()) {
            self.tls.ready()?;
        }
        let key = self.credential.read()?;
        self.tls.reload()?;
        if let Some(key) = key {
            self.credential.sign_with(key);
        }
        Ok(map)
    }
}

impl Work {
    fn from_args(args: &Args) -> Result<Self> {
        match (&args.command, &args.stdio, &args.map) {
            (Some(Command::Check { url }), _, _) => Ok(Self::Check(url.0.parse().context("check")?)),
            (_, Some(url), _) => Ok(Self::Stdio(url.0.parse().context("--stdio")?)),
            (_, None, Some(path)) => Ok(Self::Listen(Map::load(path)?)),
            (_, None, None) => bail!("give --map FILE or --stdio URL"),
        }
    }

    fn gateways(&self) -> impl Iterator<Item = &Endpoint> {
        let (lines, one) = match self {
            Self::Listen(map) => (map.lines.as_slice(), None),
            Self::Stdio(gateway) | Self::Check(gateway) => (&[][..], Some(gateway)),
        };
        lines.iter().map(|line| &line.gateway).chain(one)
    }
}

/// The first 16 hex digits of a SHA-256 of the flags as they are shown, which is without secrets.
fn digest(args: &Args) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{args:?}").as_bytes());
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether others see what is sent there.
fn is_overheard(gateway: &Endpoint) -> bool {
    gateway.tls.is_none() && !gateway.url.host.is_loopback()
}

fn server_name(text: String) -> Result<ServerName<'static>> {
    let wrong = || format!("--tls-server-name {text:?} is neither a host name nor an address");
    ServerName::try_from(text.clone()).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_overheard_beyond_this_machine() {
        for (url, expected) in [
            ("http://gw.example.com/proxy/db", true),
            ("ws://10.0.0.1/proxy/db", true),
            ("http://127.0.0.1:8086/proxy/db", false),
            ("http://localhost/proxy/db", false),
            ("https://gw.example.com/proxy/db", false),
            ("wss://10.0.0.1/proxy/db", false),
        ] {
            assert_eq!(is_overheard(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
