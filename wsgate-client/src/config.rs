//! The configuration: every file read, every key parsed, every address typed, before anything is bound.

use std::time::Duration;

use anyhow::{Result, bail};
use http::header::{self, HeaderMap};

use crate::Args;
use crate::credential::Credential;
use crate::headers;
use crate::map::Map;
use crate::tls::Tls;

/// What `wsgate-client` runs on.
#[derive(Debug)]
pub struct Config {
    /// Where to listen, and where that leads.
    pub map: Map,
    /// What the user adds to the upgrade; replaces what we would send.
    pub headers: HeaderMap,
    /// Who we are, to the gateway.
    pub credential: Credential,
    /// For the https URLs; none if there are none.
    pub tls: Option<Tls>,
    /// How long a local connection may wait for its tunnel; `None`: for ever.
    pub connect_timeout: Option<Duration>,
    /// How long tunnels may live on after the signal to stop.
    pub shutdown_timeout: Duration,
}

impl Config {
    /// Reads the files that the flags name.
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn from_args(args: Args) -> Result<Self> {
        let map = Map::load(&args.map)?;
        let headers = headers::parse(args.headers.iter().map(|text| text.0.as_str()))?;
        let credential = Credential::from_args(&args)?;
        if credential.is_some() && headers.contains_key(header::AUTHORIZATION) {
            bail!("-H authorization contradicts --private-key, which sets it; leave one out");
        }
        if args.enable_compression {
            tracing::warn!("--enable-compression has no effect: permessage-deflate is not offered");
        }
        let wants_tls = map.lines.iter().any(|line| line.gateway.tls.is_some());
        let tls = match &args.ca {
            Some(path) => Some(Tls::trusting_file(path)?),
            None if wants_tls => Some(Tls::trusting_system()?),
            None => None,
        };
        Ok(Self {
            map,
            headers,
            credential,
            tls,
            connect_timeout: Some(args.connect_timeout.0).filter(|time| !time.is_zero()), // as in Go
            shutdown_timeout: args.shutdown_timeout.0,
        })
    }
}
