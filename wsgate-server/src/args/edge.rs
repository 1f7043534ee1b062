//! The flags for what surrounds the tunnels: who connects, how, for how long, and the account of it.

use std::path::PathBuf;

use clap::Args;
use daemon::GoDuration;
use ipnet::IpNet;

use crate::file::File;

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
    pub proxy_protocol_in: Option<bool>,

    /// Network (CIDR) of proxies whose PROXY header and X-Forwarded-For are believed; may be given several
    /// times. Unix sockets always are [default: loopback and load-balancer ranges]
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,

    /// File of audit lines (JSON): who reached what, from when to when, and every refusal. Appended to;
    /// opened anew on SIGHUP [default: stderr]
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
}

impl EdgeArgs {
    /// What the command line does not say, as the file says it.
    pub fn or(self, file: &File) -> Self {
        let file = file.clone();
        let none_given = self.trusted_proxy.is_empty();
        Self {
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            max_lifetime: self.max_lifetime.or(file.max_lifetime),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            client_ca: self.client_ca.or(file.client_ca),
            proxy_protocol_in: self.proxy_protocol_in.or(file.proxy_protocol_in),
            trusted_proxy: if none_given { file.trusted_proxy } else { self.trusted_proxy },
            audit_log: self.audit_log.or(file.audit_log),
        }
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or(address).map_err(|_| "give a network such as 10.0.0.0/8, or an address".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args as All;
    use clap::Parser;
    use std::path::Path;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_nothing() {
        let text = "idle_timeout = '1m'\nmax_lifetime = '1h'\ntls_cert = 'c'\ntls_key = 'k'\nclient_ca = 'a'\n\
                    proxy_protocol_in = true\ntrusted_proxy = ['10.0.0.0/8']\naudit_log = 'l'";
        let file = File::parse(text, Path::new("/etc/wsgate.toml")).unwrap();
        let flags = ["--idle-timeout", "2m", "--tls-cert", "/c", "--trusted-proxy", "192.0.2.1"];
        let given = All::parse_from([&["wsgate-server"][..], &flags].concat()).edge;
        let show = |args: EdgeArgs| format!("{args:?}");
        let merged = show(given.clone().or(&file));
        let expected = EdgeArgs {
            idle_timeout: given.idle_timeout,
            max_lifetime: file.max_lifetime,
            tls_cert: Some("/c".into()),
            tls_key: Some("/etc/k".into()),
            client_ca: Some("/etc/a".into()),
            proxy_protocol_in: Some(true),
            trusted_proxy: vec!["192.0.2.1/32".parse().unwrap()],
            audit_log: Some("/etc/l".into()),
        };
        assert_eq!(merged, show(expected));
        assert_eq!(show(given.clone().or(&File::default())), show(given));
    }

    #[test]
    fn networks_are_cidr_or_an_address() {
        for (text, network_of) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::1", Some("::1/128")),
            ("10.0.0.0/33", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(network(text).ok().map(|net| net.to_string()).as_deref(), network_of, "{text:?}");
        }
    }
}
