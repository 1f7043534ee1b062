//! The configuration: what the flags say, typed, before anything is bound.

use std::time::Duration;

use anyhow::{Context, Result};
use daemon::listen::ListenAddr;

use crate::proxies::Proxies;
use crate::{Args, AuthPath, RulesOptions};

/// Descriptors that are not connections: listeners, files, fetches, the runtime's own.
const RESERVED: u64 = 64;
/// More connections than all workers of many nginxes keep.
const MAX_CONNECTIONS: usize = 16_384;

/// What `deteco` runs on, apart from the rules.
#[derive(Debug)]
pub struct Config {
    /// Where to listen, unless sockets are inherited.
    pub listen: ListenAddr,
    /// Where monitoring asks; `None`: nowhere, unless a socket for it is inherited.
    pub status_listen: Option<ListenAddr>,
    /// The path that nginx asks.
    pub auth_path: AuthPath,
    /// Whose word on the client's address is logged.
    pub proxies: Proxies,
    /// Which of the allowed requests are logged: each N-th; 0 is none.
    pub log_allowed_every: u64,
    /// How long connections may live on after the signal to stop.
    pub shutdown_timeout: Duration,
    /// Connections at once; above, those that are kept and idle are closed.
    pub max_connections: usize,
    /// How long a connection is waited for.
    pub patience: Patience,
}

/// How long a connection is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From accept, or from one head, to the end of the next head: nginx keeps idle connections for 60 s, and who
    /// closes first must not be us.
    pub head: Duration,
    /// Without a byte, when the connection shall end.
    pub quiet: Duration,
}

/// Idle 75 s, quiet 1 s.
impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(75), quiet: Duration::from_secs(1) }
    }
}

impl Config {
    /// With the limit of open descriptors, [`daemon::limits::raise_descriptors`].
    ///
    /// # Errors
    /// If there is no `--conf`, which the command line asks for.
    pub fn from_args(args: Args, descriptors: u64) -> Result<(Self, RulesOptions)> {
        let rules = RulesOptions {
            conf: args.conf.context("--conf FILE is missing")?,
            freshness: Some(args.jwt_freshness.0).filter(|time| !time.is_zero()),
            cache_size: args.cache_size,
            state_dir: args.state_dir,
        };
        let config = Self {
            listen: args.listen,
            status_listen: args.status.status_listen,
            auth_path: args.auth_endpoint,
            proxies: Proxies::new(args.trusted_proxy),
            log_allowed_every: args.log_allowed_every,
            shutdown_timeout: args.shutdown_timeout.0,
            max_connections: max_connections(descriptors),
            patience: Patience::default(),
        };
        Ok((config, rules))
    }
}

/// A connection has one descriptor.
fn max_connections(descriptors: u64) -> usize {
    let fit = usize::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    fit.clamp(1, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn connections_fit_under_the_limit_of_descriptors() {
        for (descriptors, allowed) in [(u64::MAX, 16_384), (1024, 960), (64, 1), (0, 1)] {
            assert_eq!(max_connections(descriptors), allowed, "{descriptors}");
        }
    }

    #[test]
    fn a_freshness_of_0_is_none() {
        for (flag, seconds) in [("0", None), ("1h", Some(3600))] {
            let args = Args::parse_from(["deteco", "--conf", "c", "--jwt-freshness", flag]);
            let (_, rules) = Config::from_args(args, 1024).unwrap();
            assert_eq!(rules.freshness.map(|time| time.as_secs()), seconds, "{flag}");
        }
    }
}
