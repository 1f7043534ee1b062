//! The configuration: every file read, every key parsed, every address typed, before anything is bound.

use std::time::Duration;

use anyhow::Result;
use daemon::GoDuration;
use daemon::limits::max_connections;
use daemon::listen::{Host, ListenAddr};
use daemon::reload::Snapshot;
use relay::Address;

use crate::Args;
use crate::dev::Kit;
use crate::dump::Dump;
use crate::edge::Edge;
use crate::handover::Directory;
use crate::identity::Identity;
use crate::keeping::Keeping;
use crate::policy::{Policy, Reload};

/// The port of the original.
const LISTEN: &str = "127.0.0.1:8086";
const TIMEOUT: GoDuration = GoDuration(Duration::from_secs(10));
const SHUTDOWN_TIMEOUT: GoDuration = GoDuration(Duration::from_secs(24 * 60 * 60));
const MAX_CONNECTIONS: usize = 10_000;

/// What `wsgate-server` runs on.
#[derive(Debug)]
pub struct Config {
    /// Where to listen, unless sockets are inherited.
    pub listen: ListenAddr,
    /// Where health and metrics are answered, unless sockets for that are inherited.
    pub status_listen: Option<ListenAddr>,
    /// Who may pass, and where to.
    pub policy: Snapshot<Policy>,
    /// Keeps the policy up to date; taken by [`crate::run`].
    pub reload: Option<Reload>,
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
    /// What surrounds the tunnels.
    pub edge: Edge,
    /// What is kept of a tunnel whose WebSocket is gone.
    pub keeping: Keeping,
    /// Where the other processes are that may have a session; taken by [`crate::run`].
    pub handover: Option<Directory>,
}

impl Config {
    /// Reads the files that the flags name, inside a tokio runtime. With `--dev` there is a `Kit` too, for
    /// [`crate::Dev`].
    ///
    /// # Errors
    /// The first thing wrong, with file, line and fix.
    pub fn from_args(args: Args, descriptors: u64) -> Result<(Self, Option<Kit>)> {
        let kit = args.dev.then(|| Kit::make(&listen(args.listen.as_ref())?)).transpose()?;
        let (reload, file, policy) = Reload::start(args.clone(), kit.as_ref().map(Kit::public_key))?;
        warn(&policy, args.dev);
        let connections = args.max_connections.or(file.max_connections).unwrap_or(MAX_CONNECTIONS);
        let connections = max_connections(connections, descriptors);
        if let Some(lowered) = connections.lowered {
            tracing::warn!("{lowered}");
        }
        if args.enable_compression.or(file.enable_compression).unwrap_or(false) {
            tracing::warn!("--enable-compression has no effect: permessage-deflate is declined");
        }
        let resume = args.resume.or(&file);
        let config = Self {
            listen: listen(args.listen.as_ref().or(file.listen.as_ref()))?,
            status_listen: args.status.status_listen.or(file.status_listen.clone()),
            policy: Snapshot::new(policy),
            reload: Some(reload),
            dial_timeout: bound(args.dial_timeout.or(file.dial_timeout).unwrap_or(TIMEOUT)),
            handshake_timeout: bound(args.handshake_timeout.or(file.handshake_timeout).unwrap_or(TIMEOUT)),
            write_timeout: bound(args.write_timeout.or(file.write_timeout).unwrap_or(TIMEOUT)),
            shutdown_timeout: args.shutdown_timeout.or(file.shutdown_timeout).unwrap_or(SHUTDOWN_TIMEOUT).0,
            max_connections: connections.allowed,
            kept_connections: usize::try_from(descriptors / 4).unwrap_or(usize::MAX).max(16),
            dump: Dump::from_flag(args.dump_tcp.or(file.dump_tcp).unwrap_or(0)),
            edge: Edge::from_args(args.edge.or(&file))?,
            keeping: Keeping::from_args(&resume),
            handover: Directory::choose(resume.handover_dir, |name| std::env::var_os(name))?,
        };
        Ok((config, kit))
    }

    /// Adds a destination that no file has.
    pub(crate) fn build_in(&mut self, name: &str, address: Address) {
        if let Some(reload) = &mut self.reload {
            reload.build_in(name.to_owned(), address.clone());
        }
        let mut policy = (*self.policy.load()).clone();
        policy.destinations.build_in(name.to_owned(), address);
        self.policy.store(policy);
    }
}

fn listen(given: Option<&ListenAddr>) -> Result<ListenAddr> {
    given.map_or_else(|| Ok(LISTEN.parse()?), |given| Ok(given.clone()))
}

/// As in Go, a time-out of 0 is none.
pub(crate) fn bound(flag: GoDuration) -> Option<Duration> {
    Some(flag.0).filter(|time| !time.is_zero())
}

fn warn(policy: &Policy, dev: bool) {
    if policy.destinations.is_empty() && !dev {
        tracing::warn!("no destinations: every request for one is answered 404; give --map FILE");
    }
    if let Identity::Anonymous { protected } = policy.identity {
        warn_of_anonymous(protected);
    }
}

fn warn_of_anonymous(protected: bool) {
    if protected {
        tracing::warn!(
            "no --public-key and no --iap-audience: callers are anonymous, and taken only from loopback, unix sockets, private \
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
