//! The flags for what surrounds the tunnels: who connects, how, for how long, and the account of it.

use std::path::PathBuf;

use clap::Args;
use daemon::GoDuration;
use ipnet::IpNet;

/// What a connection passes before it speaks HTTP, and what is kept of a tunnel.
#[derive(Args, Clone, Debug, Default)]
pub struct EdgeArgs {
    /// End a tunnel that has carried nothing for so long; 0 or not given: never
    #[arg(long, value_name = "TIME")]
    pub idle_timeout: Option<GoDuration>,

    /// End a tunnel at this age, whatever it carries; 0 or not given: never
    #[arg(long, value_name = "TIME")]
    pub max_lifetime: Option<GoDuration>,

    /// Speak TLS with this certificate chain (PEM); read again when it changes and on SIGHUP
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    pub tls_key: Option<PathBuf>,

    /// With --tls-cert: every client must show a certificate of one of these authorities (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    pub client_ca: Option<PathBuf>,

    /// Trusted proxies announce who connects by a PROXY header (version 1 or 2); without one they are closed
    #[arg(long, conflicts_with = "dev")]
    pub proxy_protocol_in: bool,

    /// Network (CIDR) of proxies whose PROXY header and X-Forwarded-For are believed; may be given several
    /// times. Unix sockets always are [default: loopback and load-balancer ranges]
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,

    /// File of audit lines (JSON): who reached what, from when to when, and every refusal. Appended to;
    /// opened anew on SIGHUP [default: stderr]
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or(address).map_err(|_| "give a network such as 10.0.0.0/8, or an address".into())
}
