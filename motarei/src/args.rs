//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand};
use daemon::GoDuration;
use daemon::listen::{Host, ListenAddr};
use daemon::log::LogArgs;
use monitor::health::HealthArgs;
use monitor::plugin::MackerelArgs;
use relay::proxy::Version;

use crate::address::Via;
use crate::check::CheckArgs;
use crate::probe::Check;
use crate::rule::Rule;
use crate::selector::Label;
use crate::wait::WaitArgs;
use crate::worker::RunArgs;

/// Deploy containers without a failed connection: listens on the ports of the Docker containers that carry
/// a label, and carries every new connection to the newest one that is ready.
#[derive(Clone, Debug, Parser)]
#[command(name = "motarei", version, disable_version_flag = true, after_help = EXAMPLES)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Label of the containers, KEY or KEY=VALUE; given several times they must carry all
    #[arg(short, long, value_name = "LABEL", required_unless_present = "config")]
    pub label: Vec<Label>,

    /// Where to listen, and the container's port behind it: 0.0.0.0:80=8000, unix:/run/web.sock=8000, or :80
    /// for the same port; may be given several times [default: each TCP port of the newest container]
    #[arg(long, value_name = "ADDR=PORT", conflicts_with = "config")]
    pub listen: Vec<Rule>,

    /// Where the containers' ports are listened on without --listen; 0.0.0.0 is all addresses, those of IPv6
    /// too [default: 0.0.0.0]
    #[arg(long, value_name = "HOST")]
    pub bind: Option<BindHost>,

    /// Configuration file (TOML) with several apps. A flag wins over the file
    #[arg(long, value_name = "FILE", conflicts_with = "label")]
    pub config: Option<PathBuf>,

    /// How to reach containers: at their own address, at the published port, or auto: the published port if
    /// the other cannot be reached [default: auto; published with --proxy-connect-ip or a remote engine]
    #[arg(long, value_name = "auto|container|published")]
    pub connect_via: Option<Via>,

    /// Where published ports are dialled that are published on all addresses [default: 127.0.0.1, ::1]
    #[arg(long, value_name = "IP")]
    pub proxy_connect_ip: Option<IpAddr>,

    /// How long one container may take to accept [default: 3s]
    #[arg(long, value_name = "TIME")]
    pub proxy_connect_timeout: Option<GoDuration>,

    /// What makes a container ready: it accepts (tcp), or answers GET /path with 2xx or 3xx (http:/path)
    /// [default: tcp]
    #[arg(long, value_name = "tcp|http:/path")]
    pub probe: Option<Check>,

    /// Tell the containers who connects, with a PROXY protocol header
    #[arg(long, value_name = "v1|v2")]
    pub proxy_protocol: Option<Version>,

    /// How long a client waits while no container is ready [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub hold: Option<GoDuration>,

    /// How many clients wait at once [default: 1000]
    #[arg(long, value_name = "N", value_parser = number())]
    pub max_held: Option<usize>,

    /// How long connections may go on after SIGTERM or SIGINT [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub drain: Option<GoDuration>,

    /// Close connections to containers that get no new ones when nothing has moved for so long
    #[arg(long, value_name = "TIME")]
    pub old_idle_close: Option<GoDuration>,

    /// Connections at once; more are closed [default: 10000]
    #[arg(long, value_name = "N", value_parser = number())]
    pub max_connections: Option<usize>,

    /// The engine: unix:///path, tcp://host:port or https://host:port
    /// [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL")]
    pub docker_host: Option<String>,

    /// Where health, metrics and a status page are answered: unix:/path (mode 0660) or host:port. Nobody is
    /// asked for a password there: keep it on loopback or a unix socket [default: unix:/run/wsgate/motarei.sock]
    #[arg(long, value_name = "ADDR")]
    pub status_listen: Option<ListenAddr>,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// Something else than proxying.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands. They ask a running proxy, or the engine, and are processes of their own.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a container as a worker of start_server, and end it only when a newer one serves
    #[command(disable_version_flag = true)]
    Run(RunArgs),

    /// Wait until new connections go to a newer container
    #[command(disable_version_flag = true)]
    Wait(WaitArgs),

    /// Warn about what will bite at the next deploy
    #[command(disable_version_flag = true)]
    Check(CheckArgs),

    /// Show containers, their states, why they are not ready, and their connections
    #[command(disable_version_flag = true)]
    Status {
        /// Where the proxy answers: its --status-listen [default: unix:/run/wsgate/motarei.sock]
        #[arg(long, value_name = "ADDR")]
        status: Option<ListenAddr>,

        /// The whole document
        #[arg(long, conflicts_with = "newest")]
        json: bool,

        /// Only what wait --newer-than takes: the newest container that there is, as ID@NANOSECONDS, none@0 if
        /// there is none
        #[arg(long)]
        newest: bool,

        /// With --newest: the label of the app, given several times the app must have all
        #[arg(short, long, value_name = "LABEL", requires = "newest")]
        label: Vec<Label>,
    },

    /// Print what mackerel-agent takes from a plugin
    #[command(disable_version_flag = true)]
    Mackerel(MackerelArgs),

    /// Check a running proxy: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[command(disable_version_flag = true)]
    Health(HealthArgs),
}

/// The host part of a listener: an address, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindHost(pub Host);

impl FromStr for BindHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_bare_v6 = text.parse::<std::net::Ipv6Addr>().is_ok();
        let address = if is_bare_v6 { format!("[{text}]:1") } else { format!("{text}:1") };
        match address.parse() {
            Ok(ListenAddr::Tcp { host, .. }) => Ok(Self(host)),
            Ok(ListenAddr::Unix(_)) => Err("write an address of this host".to_owned()),
            Err(error) => Err(error.why),
        }
    }
}

fn number() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
}

const EXAMPLES: &str = "\
Examples:
  motarei --label app=web
      listen on the ports of the newest container with that label
  motarei --label app=web --listen :80=8000 --probe http:/health
      port 80 goes to port 8000 of the newest one that answers /health
  start_server --port 80 -- motarei --label app=web --listen :80=8000
      restarts motarei itself without a refused connection: kill -HUP the start_server
  motarei --config motarei.toml
      motarei.toml:  [[app]]
                     name = 'web'
                     labels = ['app=web']
                     listen = [':80=8000']
  start_server --signal-on-hup=USR1 --signal-on-term=TERM -- \\
      motarei run --label app=web -- docker run --rm -P -l app=web IMAGE
      containers as workers: kill -HUP the start_server, and the old one serves until the new one is ready
  old=$(motarei status --newest --label app=web)
  motarei wait --label app=web --newer-than \"$old\"
      for a deploy script, before and after the deploy: succeeds when a newer container serves
  motarei check --label app=web
      what will bite at the next deploy
  motarei status
      containers, states, why not ready
  motarei mackerel; motarei health
      a plugin and a check for mackerel-agent, see their --help

Flags may be written with underscores. Times are 300ms, 10s, 1h30m.
Labels of a container: motarei.port, motarei.listen, motarei.probe, motarei.drain.
Environment: DOCKER_HOST, DOCKER_API_VERSION, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH.
Signals: SIGTERM and SIGINT let open connections finish; a second one ends them.
Exit status: 0 after a drain, 1 if it could not run, 2 for a wrong flag or file.";

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::argv::{self, Dash};
    use std::ffi::OsString;

    fn read(line: &str) -> Result<Args, clap::Error> {
        argv::parse(["motarei"].into_iter().chain(line.split_whitespace()).map(OsString::from), Dash::Double)
    }

    #[test]
    fn the_originals_command_lines_are_read() {
        let args = read(
            "--bind 127.0.0.1 --label app=web -l env=prod --proxy-connect-timeout 10s --proxy-connect-ip=127.0.0.2",
        )
        .unwrap();
        assert_eq!(args.bind, Some("127.0.0.1".parse().unwrap()));
        assert_eq!(args.label.iter().map(ToString::to_string).collect::<Vec<_>>(), ["app=web", "env=prod"]);
        assert_eq!(args.proxy_connect_timeout.unwrap().0.as_secs(), 10);
        assert_eq!(args.proxy_connect_ip, "127.0.0.2".parse().ok());
        for flag in ["-v", "--version"] {
            assert_eq!(
                read(flag).unwrap_err().to_string(),
                concat!("motarei ", env!("CARGO_PKG_VERSION"), "\n")
            );
        }
    }

    #[test]
    fn subcommands_need_no_label() {
        let args = read("status --status unix:/x --json").unwrap();
        let Some(Command::Status { status, json, .. }) = args.command else { panic!("status") };
        assert_eq!((status.unwrap().to_string().as_str(), json), ("unix:/x", true));
        assert!(read("status").is_ok());
    }

    #[test]
    fn what_the_agent_runs_is_read() {
        let args = read("mackerel --status unix:/x --instance web --all --timeout=3s").unwrap();
        let Some(Command::Mackerel(args)) = args.command else { panic!("mackerel") };
        assert_eq!(
            (args.status.len(), args.instance.as_slice(), args.all),
            (1, &["web".to_owned()][..], true)
        );
        let args = read("health --status 127.0.0.1:9100").unwrap();
        let Some(Command::Health(args)) = args.command else { panic!("health") };
        assert_eq!(args.status.unwrap().to_string(), "127.0.0.1:9100");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, part) in [
            ("", "--label"),
            ("--config f --label a", "--label"),
            ("--config f --listen :80", "--listen"),
            ("--label =x", "no name"),
            ("--label a --listen 80", "missing port"),
            ("--label a --listen unix:/x", "which port"),
            ("--label a --connect-via both", "auto, container or published"),
            ("--label a --probe udp", "tcp or http:/path"),
            ("--label a --proxy-protocol v3", "v1 and v2"),
            ("--label a --hold 10", "missing unit"),
            ("--label a --max-held 0", "max-held"),
            ("--label a --bind a/b", "no host name"),
        ] {
            let text = read(line).unwrap_err().to_string();
            assert!(text.contains(part), "{line}: {text}");
        }
    }

    #[test]
    fn a_host_to_bind_is_an_address_or_a_name() {
        for (text, printed) in
            [("0.0.0.0", "0.0.0.0"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("", ""), ("host-1", "host-1")]
        {
            assert_eq!(text.parse::<BindHost>().unwrap().0.to_string(), printed);
        }
    }
}
