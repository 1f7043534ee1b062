//! The command line.

mod resume;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgAction, Parser, Subcommand};
use daemon::GoDuration;
use daemon::log::LogArgs;
use monitor::StatusArgs;
use monitor::health::HealthArgs;
use monitor::plugin::MackerelArgs;
pub use resume::ResumeArgs;

/// Reach private TCP services behind a gateway: listens on local ports and carries every connection over
/// WebSocket, with a credential if the gateway wants one.
#[derive(Debug, Parser)]
#[command(name = "wsgate-client", version, disable_version_flag = true, after_help = EXAMPLES)]
#[command(subcommand_negates_reqs = true, mut_args(shared))]
pub struct Args {
    /// File of forwards, a line each: listen,url. Listen is host:port, :port (both families) or unix:/path;
    /// the url is http(s):// or ws(s)://
    #[arg(long, value_name = "FILE", required_unless_present = "stdio")]
    pub map: Option<PathBuf>,

    /// Header to send to the gateway, 'Name: value'; may be given several times
    #[arg(short = 'H', long, value_name = "HEADER")]
    pub headers: Vec<HeaderText>,

    /// Private key (PEM) that signs a token of a minute, sent as Authorization: Bearer. RSA, EC or Ed25519
    #[arg(long, value_name = "FILE", group = "bearer")]
    pub private_key: Option<PathBuf>,

    /// Who we are, for the token's sub
    #[arg(long, value_name = "NAME", default_value = "private-key-user")]
    pub private_key_user: String,

    /// Key file (JSON) of a service account; gets identity tokens for an Identity-Aware Proxy (IAP), sent as
    /// Authorization, or as Proxy-Authorization beside --private-key, --token-command and --token-file
    #[arg(long, value_name = "FILE", requires = "iap_way")]
    pub iap_credential: Option<PathBuf>,

    /// OAuth client id of the IAP; .apps.googleusercontent.com may be left out. Without --iap-credential the
    /// tokens come from GOOGLE_APPLICATION_CREDENTIALS, a user's credentials (--iap-impersonate), or the
    /// metadata server
    #[arg(long, value_name = "ID", group = "iap_way")]
    pub iap_client_id: Option<String>,

    /// Root certificates (PEM) to trust instead of the system's; read again when the file changes
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// How long a local connection may wait for its tunnel, all attempts together; 0: for ever
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub connect_timeout: GoDuration,

    /// How long open tunnels may live on after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub shutdown_timeout: GoDuration,

    /// Accepted, and has no effect: the extension permessage-deflate is not offered
    #[arg(long)]
    pub enable_compression: bool,

    /// Get identity tokens of this service account with the user's own application-default credentials, as
    /// gcloud left them; the user needs the role of a Service Account OpenID Connect Identity Token Creator
    #[arg(long, value_name = "ACCOUNT", requires = "iap_client_id")]
    pub iap_impersonate: Option<String>,

    /// Sign tokens for the IAP with the service account's key itself, for the URL of the map line; nobody is
    /// asked for them. The key is that of --iap-credential or GOOGLE_APPLICATION_CREDENTIALS
    #[arg(long, group = "iap_way")]
    pub iap_self_signed: bool,

    /// Command (run by sh -c, for 30 s at most) whose output is the token to send as Authorization: Bearer;
    /// run again before the token's exp, or every 5 minutes if it has none
    #[arg(long, value_name = "COMMAND", group = "bearer")]
    pub token_command: Option<CommandText>,

    /// File whose text is the token to send as Authorization: Bearer; read again when it has changed
    #[arg(long, value_name = "FILE", group = "bearer")]
    pub token_file: Option<PathBuf>,

    /// The two log flags.
    #[command(flatten)]
    pub log: LogArgs,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// Certificate (PEM, our own first) to show to a gateway that asks for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,

    /// Private key (PEM) of --client-cert
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,

    /// Name that the gateway's certificate must have, if it is not the URL's host
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,

    /// HTTP proxy to reach gateways through, `http://[USER:PASSWORD@]HOST:PORT`, or none. Without it, and for
    /// https URLs only: HTTPS_PROXY, except for NO_PROXY and private addresses
    #[arg(long, value_name = "URL", hide_default_value = true)]
    pub proxy: Option<HeaderText>,

    /// Carry one tunnel on stdin and stdout instead of listening, for ssh's ProxyCommand. Only warnings are
    /// logged unless --log-level says otherwise
    #[arg(long, value_name = "URL", conflicts_with_all = ["map", "status_listen"])]
    pub stdio: Option<HeaderText>,

    /// What outlives a connection to the gateway.
    #[command(flatten)]
    pub resume: ResumeArgs,

    /// Where it tells how it is.
    #[command(flatten)]
    pub status: StatusArgs,

    /// Something else than carrying connections.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say step by step what works on the way to a gateway
    #[command(disable_version_flag = true, after_help = CHECKED)]
    Check {
        /// The URL, as in a map
        url: HeaderText,
    },
    /// Print what mackerel-agent takes from a plugin
    #[command(disable_version_flag = true)]
    Mackerel(MackerelArgs),
    /// Check a running client: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[command(disable_version_flag = true)]
    Health(HealthArgs),
}

/// The text of a `-H` or a URL; it may be a secret, so that it is shown nowhere, and parsed where no error of clap
/// repeats it.
#[derive(Clone)]
pub struct HeaderText(pub String);

impl FromStr for HeaderText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderText")
    }
}

/// Flags stand before and after a subcommand, but for those that say what to carry.
fn shared(flag: Arg) -> Arg {
    let own = ["map", "stdio", "status_listen", "version"].contains(&flag.get_id().as_str());
    flag.global(!own)
}

impl Args {
    /// The files that are read again when they change.
    pub fn watched(&self) -> Vec<PathBuf> {
        let files = [&self.map, &self.ca, &self.client_cert, &self.client_key, &self.private_key];
        files.into_iter().flatten().cloned().collect()
    }
}

const CHECKED: &str = "\
Name, TCP, proxy, TLS, credential, upgrade, WebSocket; each with the reason and what to do if it fails.
The connection is closed at once. Exit status: 0 if all of it works, else 1.";

/// The text of a `--token-command`; it may contain a secret too.
#[derive(Clone)]
pub struct CommandText(pub String);

impl FromStr for CommandText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for CommandText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandText")
    }
}

const EXAMPLES: &str = "\
Examples:
  wsgate-client --map map.txt --private-key client.key --private-key-user alice
      map.txt:  127.0.0.1:3306,https://gw.example.com/proxy/mysql
      then:     mysql -h 127.0.0.1
  wsgate-client --map map.txt -H 'X-Team: dba' --ca private-ca.pem
      another header, and a gateway with a certificate of one's own
  ssh -o ProxyCommand='wsgate-client --stdio https://gw.example.com/proxy/ssh' host
      one tunnel, for ssh
  wsgate-client check https://gw.example.com/proxy/mysql --private-key client.key
      says what works on the way, and what to do about what does not
  wsgate-client --map map.txt --iap-credential account.json --iap-client-id 123-abc
      a gateway behind an Identity-Aware Proxy
  wsgate-client --map map.txt --token-command 'vault read -field=token identity/oidc/token/dba'
      a token that something else makes
  wsgate-client --map map.txt --status-listen 127.0.0.1:9102
      then:     curl 127.0.0.1:9102/metrics
                wsgate-client health --status 127.0.0.1:9102

Flags may be written with underscores. Times are 300ms, 10s, 1h30m.
The system's root certificates are read once at start, also those of SSL_CERT_FILE and SSL_CERT_DIR.
Environment: GOOGLE_APPLICATION_CREDENTIALS (or gcloud's file below CLOUDSDK_CONFIG or HOME) and
GCE_METADATA_HOST for identity tokens; HTTPS_PROXY and NO_PROXY for gateways and for fetching tokens.
Signals: SIGTERM and SIGINT let open tunnels finish; a second one ends them. SIGHUP reads the map and the
files again, which a changed file does too; open tunnels stay. With --stdio all three end the tunnel.
Exit status: 0 after a drain, 1 if it could not run, 2 for a wrong flag or file; with --stdio 0 after an
orderly end, 1 without a tunnel or if it was cut.";

#[cfg(test)]
mod tests;
