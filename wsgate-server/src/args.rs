//! The command line.

use std::path::PathBuf;

use clap::Parser;
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use daemon::log::LogArgs;

/// Reach private TCP services through an HTTPS load balancer: accepts WebSocket upgrades at /proxy/NAME and
/// carries their bytes to the service that the map gives for NAME.
#[derive(Debug, Parser)]
#[command(name = "wsgate-server", version, after_help = EXAMPLES)]
pub struct Args {
    /// Where to listen: host:port, :port (both families), an IPv6 address in brackets, or unix:/path. Under start_server or
    /// systemd the inherited sockets are used instead
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8086")]
    pub listen: ListenAddr,

    /// File of destinations, a line each: name,host:port or name,unix:/path
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// Public key (PEM) that verifies callers' tokens; may be given several times. RSA, EC or Ed25519, as
    /// a key or a certificate
    #[arg(long, value_name = "FILE")]
    pub public_key: Vec<PathBuf>,

    /// How old a token's iat may be
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub jwt_freshness: GoDuration,

    /// Without a key: serve callers from anywhere, not only from private networks and load balancers
    #[arg(long)]
    pub allow_anonymous: bool,

    /// Origin (https://host) of a web page that may connect; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub allowed_origin: Vec<String>,

    /// How long reaching a destination may take, name look-up included; 0: as long as the kernel tries
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub dial_timeout: GoDuration,

    /// How long a request's head may take to arrive, and a WebSocket to be established; 0: forever
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub handshake_timeout: GoDuration,

    /// How long an HTTP answer or the last control frames may take to be written; never cuts payload.
    /// 0: answers forever
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub write_timeout: GoDuration,

    /// How long open tunnels may live on after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub shutdown_timeout: GoDuration,

    /// Tunnels at once; more are refused with 503
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub max_connections: usize,

    /// Accepted, and has no effect: the extension permessage-deflate is declined
    #[arg(long)]
    pub enable_compression: bool,

    /// Log payload in hex and ascii: 1 what clients send, 2 both ways
    #[arg(long, value_name = "0|1|2", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub dump_tcp: u8,

    /// Try it out: a throw-away key, destinations echo and hello, loopback only
    #[arg(long, conflicts_with_all = ["public_key", "allow_anonymous"])]
    pub dev: bool,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,
}

const EXAMPLES: &str = "\
Examples:
  wsgate-server --dev
      try it: makes a key, serves echo and hello, prints the client's commands
  wsgate-server --listen :8086 --map map.txt --public-key client.pub.pem
      map.txt:  mysql,10.0.3.7:3306
  start_server --port 8086 -- wsgate-server --map map.txt --public-key client.pub.pem
      restarts without a refused connection: kill -HUP the start_server

Flags may be written with one dash and with underscores. Times are 300ms, 10s, 1h30m.
Signals: SIGTERM and SIGINT let open tunnels finish; a second one ends them.
Exit status: 0 after a drain, 1 if it could not run, 2 for a wrong flag or file.";
