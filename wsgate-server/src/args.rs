//! The command line.

mod edge;
mod resume;

use std::path::PathBuf;

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use daemon::log::LogArgs;
use monitor::StatusArgs;
use monitor::health::HealthArgs;
use monitor::plugin::MackerelArgs;

use crate::file::Jwks;
pub use edge::EdgeArgs;
pub use resume::ResumeArgs;

/// Reach private TCP services through an HTTPS load balancer: accepts WebSocket upgrades at /proxy/NAME and
/// carries their bytes to the service that the map gives for NAME.
#[derive(Clone, Debug, Parser)]
#[command(name = "wsgate-server", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Where to listen: host:port, :port (both families), an IPv6 address in brackets, or unix:/path. Under start_server or
    /// systemd the inherited sockets are used instead [default: 127.0.0.1:8086]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAddr>,

    /// Configuration file (TOML): everything that these flags say, and who may reach which destination.
    /// A flag wins over the file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// File of destinations, a line each: name,host:port or name,unix:/path. Added to those of --config
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// Public key (PEM) that verifies callers' tokens; may be given several times. RSA, EC or Ed25519, as
    /// a key or a certificate
    #[arg(long, value_name = "FILE")]
    pub public_key: Vec<PathBuf>,

    /// How old a token's iat may be [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub jwt_freshness: Option<GoDuration>,

    /// Take callers whom Google's Identity-Aware Proxy asserts for this audience; may be given several
    /// times. With a key as well, both must verify
    #[arg(long, value_name = "AUD")]
    pub iap_audience: Vec<String>,

    /// Where the keys of the Identity-Aware Proxy are published: a URL or a file
    /// [default: https://www.gstatic.com/iap/verify/public_key-jwk]
    #[allow(rustdoc::bare_urls)] // --help shows it as it stands here
    #[arg(long, value_name = "URL|FILE")]
    pub iap_jwks: Option<Jwks>,

    /// Without a key and an audience: serve callers from anywhere, not only from private networks and load balancers
    #[arg(long)]
    pub allow_anonymous: Option<bool>,

    /// Origin (https://host) of a web page that may connect; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub allowed_origin: Vec<String>,

    /// How long reaching a destination may take, name look-up included; 0: as long as the kernel tries [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub dial_timeout: Option<GoDuration>,

    /// How long a request's head may take to arrive, and a WebSocket to be established; 0: forever [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub handshake_timeout: Option<GoDuration>,

    /// How long an HTTP answer or the last control frames may take to be written; never cuts payload.
    /// 0: answers forever [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub write_timeout: Option<GoDuration>,

    /// How long open tunnels may live on after SIGTERM or SIGINT [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub shutdown_timeout: Option<GoDuration>,

    /// Tunnels at once; more are refused with 503 [default: 10000]
    #[arg(long, value_name = "N", value_parser = connections())]
    pub max_connections: Option<usize>,

    /// Tunnels of one user at once; more are refused with 429 [default: no limit]
    #[arg(long, value_name = "N", value_parser = connections())]
    pub max_connections_per_user: Option<usize>,

    /// Accepted, and has no effect: the extension permessage-deflate is declined
    #[arg(long)]
    pub enable_compression: Option<bool>,

    /// Log payload in hex and ascii: 1 what clients send, 2 both ways [default: 0]
    #[arg(long, value_name = "0|1|2", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub dump_tcp: Option<u8>,

    /// Try it out: a throw-away key, destinations echo and hello, loopback only
    #[arg(long, conflicts_with_all = ["config", "public_key", "iap_audience", "allow_anonymous"])]
    pub dev: bool,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,

    /// What surrounds the tunnels.
    #[command(flatten)]
    pub edge: EdgeArgs,

    /// What is kept of a tunnel whose WebSocket is gone.
    #[command(flatten)]
    pub resume: ResumeArgs,

    /// Where it tells how it is.
    #[command(flatten)]
    pub status: StatusArgs,

    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands, which ask a gateway that runs; without one, this is the gateway.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Print what mackerel-agent takes from a plugin
    Mackerel(MackerelArgs),
    /// Check a running gateway: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Health(HealthArgs),
}

fn connections() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
}

const EXAMPLES: &str = "\
Examples:
  wsgate-server --dev
      try it: makes a key, serves echo and hello, prints the client's commands
  wsgate-server --listen :8086 --map map.txt --public-key client.pub.pem
      map.txt:  mysql,10.0.3.7:3306
  wsgate-server --config wsgate.toml
      wsgate.toml:  public_key = ['client.pub.pem']
                    [[destination]]
                    name = 'mysql'
                    upstream = '10.0.3.7:3306'
                    allow = ['alice', 'batch-*']
  start_server --port 8086 -- wsgate-server --map map.txt --public-key client.pub.pem
      restarts without a refused connection: kill -HUP the start_server
  wsgate-server --map map.txt --public-key client.pub.pem --status-listen 127.0.0.1:9101
      then:     curl 127.0.0.1:9101/metrics
                wsgate-server health --status 127.0.0.1:9101

Flags may be written with one dash and with underscores. Times are 300ms, 10s, 1h30m.
Signals: SIGTERM and SIGINT let open tunnels finish; a second one ends them. SIGHUP reads --config, --map
and the keys again, as does a change of these files; open tunnels stay.
Exit status: 0 after a drain, 1 if it could not run, 2 for a wrong flag or file.";
