//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use daemon::log::LogArgs;
use ipnet::IpNet;
use monitor::StatusArgs;
use monitor::health::HealthArgs;
use monitor::plugin::MackerelArgs;

use crate::explain::ExplainArgs;
use crate::nginx_check::NginxCheckArgs;
use crate::nginx_conf::NginxConfArgs;
use crate::{AuthPath, CheckArgs};

/// Answers nginx auth_request: may the bearer of this JWT see this path? 200 with X-Deteco-User, 401 or 403.
#[derive(Debug, Parser)]
#[command(name = "deteco", version, disable_version_flag = true, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// Where to listen: host:port, :port (both families), an IPv6 address in brackets, or unix:/path. Under
    /// start_server or systemd the inherited sockets are used instead
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: ListenAddr,

    /// Configuration file (TOML): the services, their keys, and the paths they may see
    #[arg(long, value_name = "FILE", required = true)]
    pub conf: Option<PathBuf>,

    /// Check the configuration file and exit, as `deteco check` does
    #[arg(long)]
    pub dry_run: bool,

    /// How old a token's iat may be; 0: as old as its exp allows
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub jwt_freshness: GoDuration,

    /// Path that nginx asks; several segments may be given, with or without the slash before them
    #[arg(long, value_name = "PATH", default_value = "auth")]
    pub auth_endpoint: AuthPath,

    /// How many verified tokens are remembered, so that they cost no signature check again; 0: none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub cache_size: usize,

    /// Accepted, and has no effect: the cache makes room by itself
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub prune_size: i64,

    /// Network (CIDR) of a proxy whose X-Real-IP is logged as the client; may be given several times. Unix
    /// sockets always are [default: loopback]
    #[arg(long, value_name = "CIDR")]
    pub trusted_proxy: Vec<IpNet>,

    /// Directory in which fetched JWK sets are kept, so that a start does not depend on who publishes them
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// How long open connections may live on after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub shutdown_timeout: GoDuration,

    /// Log each N-th request that is allowed; 0: none. What is refused is always logged
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub log_allowed_every: u64,

    /// Where monitoring asks.
    #[command(flatten)]
    pub status: StatusArgs,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// Something else than answering.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands; without one, requests are answered.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a configuration file, and what is odd
    Check(CheckArgs),
    /// Show how a decision is made: each step, and the rule that decided
    Explain(ExplainArgs),
    /// Print the nginx configuration that asks deteco, and leaves no way around it
    NginxConf(NginxConfArgs),
    /// Find the ways around deteco in an nginx configuration, as nginx -T prints it
    NginxCheck(NginxCheckArgs),
    /// Print the metrics of a running deteco as mackerel-agent takes them from a plugin
    Mackerel(MackerelArgs),
    /// Check a running deteco: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Health(HealthArgs),
}

const EXAMPLES: &str = "\
Examples:
  deteco --conf deteco.toml
      deteco.toml:  [[services]]
                    id = 'report_batch'        # the token's sub
                    paths = ['/api/reports']
                    public_keys = ['''-----BEGIN PUBLIC KEY----- ...''']
      nginx.conf:   location /api/ { auth_request /auth; ... }
                    location = /auth {
                        internal;
                        proxy_pass http://127.0.0.1:8080;
                        proxy_pass_request_body off;
                        proxy_set_header Content-Length '';
                        proxy_set_header X-Original-URI $request_uri;
                        proxy_set_header X-Original-Method $request_method;
                        proxy_set_header X-Deteco-Scope '';
                    }
  deteco --conf deteco.toml --listen unix:/run/deteco.sock --log-allowed-every 100
      on a unix socket; one of a hundred allowed requests is logged, and all that are refused
  deteco check --conf deteco.toml
      what is wrong with the file, and what is odd
  jwtgen --private-key k.pem --private-key-user report_batch | deteco explain --conf deteco.toml --token-file - --uri /api/reports
      how that is decided, step by step
  deteco nginx-conf; nginx -T | deteco nginx-check -
      the right configuration; is the real one still right?
  deteco --conf deteco.toml --status-listen unix:/run/wsgate/deteco.sock; deteco mackerel; deteco health
      metrics for mackerel-agent and a check; curl --unix-socket /run/wsgate/deteco.sock http://localhost/metrics
      for Prometheus
  start_server --port 127.0.0.1:8080 -- deteco --conf deteco.toml
      restarts without a lost request: kill -HUP the start_server

Flags may be written with one dash and with underscores. Times are 300ms, 10s, 1h30m.
GET / and /live answer 200 while the process lives; /ready 503 while it drains or has no key at all.
Signals: SIGTERM and SIGINT answer what has been asked, then end; a second one ends at once. SIGHUP reads
--conf and all that it names again, as does a change of these files.
Exit status: 0 after a drain, 1 if it could not run, 2 for a wrong flag or file.";

#[cfg(test)]
mod tests;
