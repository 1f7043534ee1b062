//! The configuration: every file read, every key parsed, every address typed, before anything is bound.

use std::time::Duration;

use anyhow::{Result, bail};
use http::HeaderMap;

use crate::Args;
use crate::credential::Credential;
use crate::headers;
use crate::map::Map;
use crate::retry::Budget;
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
    /// For the https URLs, of the token endpoint too; none if there are none.
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
        for (name, flag) in credential.sets() {
            if headers.contains_key(&name) {
                bail!("-H {name} contradicts {flag}, which sets it; leave one out");
            }
        }
        if args.enable_compression {
            tracing::warn!("--enable-compression has no effect: permessage-deflate is not offered");
        }
        let wants_tls = map.lines.iter().any(|line| line.gateway.tls.is_some()) || credential.wants_tls();
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

    /// Gets the first of the tokens that need somebody else, so that a wrong key or client id shows at start.
    ///
    /// # Errors
    /// What the token endpoint said, or why it could not be asked.
    pub async fn first_token(&self) -> Result<()> {
        let budget = Budget::new(self.connect_timeout);
        self.credential.headers(self.tls.as_ref(), budget).await?;
        Ok(())
    }
}
