//! The configuration: every file read, every key parsed, every address typed, before anything is bound.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use daemon::GoDuration;
use daemon::limits::max_connections;
use daemon::listen::{Host, ListenAddr};
use token::{Key, KeySet, Policy, PublicKey};

use crate::Args;
use crate::destinations::Destinations;
use crate::dev::Kit;
use crate::dump::Dump;
use crate::identity::Identity;
use crate::origin::Origins;

/// What `wsgate-server` runs on.
#[derive(Debug)]
pub struct Config {
    /// Where to listen, unless sockets are inherited.
    pub listen: ListenAddr,
    /// Name to backend.
    pub destinations: Destinations,
    /// How callers are told apart.
    pub identity: Identity,
    /// Which web pages may connect.
    pub origins: Origins,
    /// Bounds reaching a destination; `None`: the kernel's patience.
    pub dial_timeout: Option<Duration>,
    /// Bounds the arrival of a head; `None`: no bound.
    pub handshake_timeout: Option<Duration>,
    /// Bounds the writing of answers and last control frames; `None`: no bound.
    pub write_timeout: Option<Duration>,
    /// How long tunnels may live on after the signal to stop.
    pub shutdown_timeout: Duration,
    /// Tunnels at once.
    pub max_connections: usize,
    /// Connections that speak HTTP; above, those that are kept and idle are closed.
    pub kept_connections: usize,
    /// Which payload is logged.
    pub dump: Dump,
}

impl Config {
    /// Reads the files that the flags name. With `--dev` there is a `Kit` too, for [`crate::Dev`].
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn from_args(args: Args, descriptors: u64) -> Result<(Self, Option<Kit>)> {
        let kit = args.dev.then(|| Kit::make(&args.listen)).transpose()?;
        let destinations = match &args.map {
            Some(path) => Destinations::load(path)?,
            None => Destinations::default(),
        };
        if destinations.is_empty() && !args.dev {
            tracing::warn!("no destinations: every request for one is answered 404; give --map FILE");
        }
        let identity = match &kit {
            Some(kit) => keys(vec![kit.public_key()], args.jwt_freshness)?,
            None => identity(&args)?,
        };
        let connections = max_connections(args.max_connections, descriptors);
        if let Some(lowered) = connections.lowered {
            tracing::warn!("{lowered}");
        }
        if args.enable_compression {
            tracing::warn!("--enable-compression has no effect: permessage-deflate is declined");
        }
        let config = Self {
            listen: args.listen,
            destinations,
            identity,
            origins: Origins::new(&args.allowed_origin)?,
            dial_timeout: bound(args.dial_timeout),
            handshake_timeout: bound(args.handshake_timeout),
            write_timeout: bound(args.write_timeout),
            shutdown_timeout: args.shutdown_timeout.0,
            max_connections: connections.allowed,
            kept_connections: usize::try_from(descriptors / 4).unwrap_or(usize::MAX).max(16),
            dump: Dump::from_flag(args.dump_tcp),
        };
        Ok((config, kit))
    }
}

/// As in Go, a time-out of 0 is none.
fn bound(flag: GoDuration) -> Option<Duration> {
    Some(flag.0).filter(|time| !time.is_zero())
}

fn identity(args: &Args) -> Result<Identity> {
    if args.public_key.is_empty() {
        let protected = !args.allow_anonymous;
        warn_of_anonymous(protected);
        return Ok(Identity::Anonymous { protected });
    }
    if args.allow_anonymous {
        bail!("--allow-anonymous contradicts --public-key: with a key every caller needs a token");
    }
    let loaded = args.public_key.iter().map(|path| load(path)).collect::<Result<_>>()?;
    keys(loaded, args.jwt_freshness)
}

fn load(path: &Path) -> Result<PublicKey> {
    let file = || format!("--public-key {}", path.display());
    let pem = fs::read(path).with_context(file)?;
    PublicKey::from_pem(&pem).with_context(file)
}

fn keys(loaded: Vec<PublicKey>, freshness: GoDuration) -> Result<Identity> {
    for key in &loaded {
        tracing::info!(key = %crate::identity::short(key.fingerprint()), kind = ?key.kind(), "key loaded");
    }
    let keys = KeySet::new(loaded.into_iter().map(Key::from).collect()).context("--public-key")?;
    Ok(Identity::Keys { keys, policy: Policy { freshness: bound(freshness), ..Policy::default() } })
}

fn warn_of_anonymous(protected: bool) {
    if protected {
        tracing::warn!(
            "no --public-key: callers are anonymous, and taken only from loopback, unix sockets, private \
             networks and load-balancer ranges. This keeps out strangers who reach this port, not strangers \
             who reach a balancer in front of it"
        );
    } else {
        tracing::warn!(
            "--allow-anonymous: whoever reaches this port, or a balancer in front of it, reaches every \
             destination"
        );
    }
}

/// Whether only this host can reach what listens there.
pub(crate) fn is_loopback(listen: &ListenAddr) -> bool {
    match listen {
        ListenAddr::Tcp { host: Host::Ip(ip), .. } => ip.is_loopback(),
        ListenAddr::Tcp { host: Host::Name(name), .. } => name == "localhost",
        ListenAddr::Tcp { host: Host::Any, .. } => false,
        ListenAddr::Unix(_) => true,
    }
}
