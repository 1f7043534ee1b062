//! Where the engine is: `--docker-host` and the DOCKER_* variables, as the engine's own tools read them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// Docker's own place.
const DEFAULT: &str = "unix:///var/run/docker.sock";

/// Where the engine is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAddress {
    /// The way to it.
    pub transport: Transport,
    /// DOCKER_API_VERSION; without it the newest that the engine has.
    pub api: Option<ApiVersion>,
}

/// The way to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket of this host.
    Unix(PathBuf),
    /// HTTP in the clear, to `host:port`.
    Tcp(String),
    /// HTTPS.
    Tls {
        /// `host:port`.
        host: String,
        /// The directory of ca.pem, cert.pem and key.pem.
        certificates: PathBuf,
    },
}

/// A version of the engine's API: `1.41`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// 1 so far.
    pub major: u32,
    /// Grows.
    pub minor: u32,
}

impl EngineAddress {
    /// From `--docker-host`, else the environment: DOCKER_HOST, DOCKER_API_VERSION, DOCKER_TLS_VERIFY and
    /// DOCKER_CERT_PATH. Either of the last two, if not empty, makes tcp:// TLS.
    ///
    /// # Errors
    /// If the place or the version is none.
    pub fn find(flag: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let (source, host) = match (flag, env("DOCKER_HOST")) {
            (Some(flag), _) => ("--docker-host", flag.to_owned()),
            (None, Some(host)) => ("DOCKER_HOST", host),
            (None, None) => ("the default", DEFAULT.to_owned()),
        };
        let certificates = env("DOCKER_CERT_PATH").map(PathBuf::from);
        let certificates = certificates.or_else(|| {
            env("DOCKER_TLS_VERIFY").map(|_| PathBuf::from(env("HOME").unwrap_or_default()).join(".docker"))
        });
        let transport = transport(&host, certificates).with_context(|| format!("{source} {host:?}"))?;
        let api = env("DOCKER_API_VERSION");
        let api = api
            .map(|text| text.parse().with_context(|| format!("DOCKER_API_VERSION {text:?}")))
            .transpose()?;
        Ok(Self { transport, api })
    }

    /// The host that published ports are on, if it is another one.
    pub fn remote_host(&self) -> Option<&str> {
        let (Transport::Tcp(host) | Transport::Tls { host, .. }) = &self.transport else { return None };
        let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }

    /// Whether the engine is on another host, as far as its address tells.
    pub(crate) fn is_remote(&self) -> bool {
        let is_loopback = |host: &str| host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        self.remote_host().is_some_and(|host| host != "localhost" && !is_loopback(host))
    }
}

fn transport(host: &str, certificates: Option<PathBuf>) -> Result<Transport> {
    let (scheme, rest) =
        host.split_once("://").context("write unix:///path, tcp://host:port or https://host:port")?;
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        bail!("there is nothing after {scheme}://");
    }
    match (scheme, certificates) {
        ("unix", _) => Ok(Transport::Unix(rest.into())),
        ("https", None) => bail!("DOCKER_CERT_PATH must name the directory of ca.pem, cert.pem and key.pem"),
        ("tcp" | "https", Some(certificates)) => {
            Ok(Transport::Tls { host: with_port(rest, 2376), certificates })
        }
        ("tcp" | "http", _) => Ok(Transport::Tcp(with_port(rest, 2375))),
        _ => bail!("the schemes are unix, tcp, http and https"),
    }
}

fn with_port(host: &str, port: u16) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && !host.ends_with(']') { host.to_owned() } else { format!("{host}:{port}") }
}

/// The form of `--docker-host`.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Tls { host, .. } => write!(f, "https://{host}"),
        }
    }
}

impl FromStr for ApiVersion {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.trim_start_matches('v').split_once('.');
        let (major, minor) = parts.context("write it like 1.41")?;
        let number = |text: &str| text.parse().context("write it like 1.41");
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(flag: Option<&str>, env: &[(&str, &str)]) -> Result<EngineAddress> {
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        EngineAddress::find(flag, env)
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let tls = |host: &str, directory: &str| Transport::Tls {
            host: host.into(),
            certificates: directory.into(),
        };
        let table: [(_, &[(&str, &str)], _); 11] = [
            (None, &[], Transport::Unix("/var/run/docker.sock".into())),
            (None, &[("DOCKER_HOST", "")], Transport::Unix("/var/run/docker.sock".into())),
            (None, &[("DOCKER_HOST", "unix:///x")], Transport::Unix("/x".into())),
            (Some("unix:///y"), &[("DOCKER_HOST", "unix:///x")], Transport::Unix("/y".into())),
            (Some("tcp://h"), &[], Transport::Tcp("h:2375".into())),
            (Some("tcp://h:1/"), &[], Transport::Tcp("h:1".into())),
            (Some("http://[::1]"), &[], Transport::Tcp("[::1]:2375".into())),
            (Some("tcp://h"), &[("DOCKER_CERT_PATH", "/c")], tls("h:2376", "/c")),
            (Some("https://h:1"), &[("DOCKER_CERT_PATH", "/c"), ("DOCKER_TLS_VERIFY", "")], tls("h:1", "/c")),
            (Some("tcp://h:1"), &[("HOME", "/me"), ("DOCKER_TLS_VERIFY", "1")], tls("h:1", "/me/.docker")),
            (Some("unix:///y"), &[("DOCKER_CERT_PATH", "/c")], Transport::Unix("/y".into())),
        ];
        for (flag, env, expected) in table {
            assert_eq!(find(flag, env).unwrap().transport, expected, "{flag:?} {env:?}");
        }
        assert_eq!(find(Some("tcp://[::1]:1"), &[]).unwrap().remote_host(), Some("::1"));
        assert_eq!(find(None, &[]).unwrap().remote_host(), None);
    }

    #[test]
    fn a_wrong_one_is_named() {
        let table: [(_, &[(&str, &str)], _); 6] = [
            (Some("/var/run/docker.sock"), &[], "write unix:///path"),
            (Some("unix://"), &[], "nothing after"),
            (Some("ssh://h"), &[], "the schemes are"),
            (Some("https://h"), &[], "DOCKER_CERT_PATH"),
            (None, &[("DOCKER_HOST", "h:1")], "DOCKER_HOST \"h:1\""),
            (None, &[("DOCKER_API_VERSION", "1")], "DOCKER_API_VERSION"),
        ];
        for (flag, env, part) in table {
            let error = format!("{:#}", find(flag, env).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(find(None, &[("DOCKER_API_VERSION", "v1.41")]).unwrap().api, "1.41".parse().ok());
    }
}
