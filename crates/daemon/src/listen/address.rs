//! `host:port`, `:port`, `[v6]:port` or `unix:/path`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::service;

/// Where to listen, as written after `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddr {
    /// A TCP port.
    Tcp {
        /// Which of our addresses.
        host: Host,
        /// 0 lets the kernel choose. A service name has become its number.
        port: u16,
    },
    /// A unix socket at this path.
    Unix(PathBuf),
}

/// The host part of a [`ListenAddr`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Nothing was written: every address of both families.
    Any,
    /// An address; a v4-mapped one has become IPv4. `0.0.0.0` and `::` mean both families, as in Go.
    Ip(IpAddr),
    /// A name, or an IPv6 address with a zone; resolved when it is bound.
    Name(String),
}

/// Why a text is no [`ListenAddr`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad address {text:?}: {why}")]
pub struct InvalidAddress {
    /// What was written.
    pub text: String,
    /// What is wrong with it, and what to write.
    pub why: String,
}

impl FromStr for ListenAddr {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|why| InvalidAddress { text: text.to_owned(), why })
    }
}

fn parse(text: &str) -> Result<ListenAddr, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(path);
    }
    let (host, port) = text.rsplit_once(':').ok_or("missing port, write host:port or :port")?;
    let host = match host.strip_prefix('[') {
        Some(rest) => bracketed(rest.strip_suffix(']').ok_or("write an IPv6 address as [v6]:port")?)?,
        None => plain(host)?,
    };
    Ok(ListenAddr::Tcp { host, port: port_number(port)? })
}

fn unix_path(path: &str) -> Result<ListenAddr, String> {
    match path {
        "" => Err("missing path, write unix:/path".into()),
        _ if path.contains('\0') => Err("a path has no NUL byte".into()),
        _ => Ok(ListenAddr::Unix(path.into())),
    }
}

fn bracketed(host: &str) -> Result<Host, String> {
    match host.split_once('%') {
        Some((address, zone)) if address.parse::<std::net::Ipv6Addr>().is_ok() && !zone.is_empty() => {
            Ok(Host::Name(host.into()))
        }
        _ => match host.parse() {
            Ok(address) => Ok(Host::Ip(IpAddr::V6(address).to_canonical())),
            Err(_) => Err(format!("{host:?} is no IPv6 address")),
        },
    }
}

fn plain(host: &str) -> Result<Host, String> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match host {
        "" => Ok(Host::Any),
        _ if host.contains(':') => Err("too many colons, write [v6]:port or host:port".into()),
        _ if !host.chars().all(of_a_name) => Err(format!("{host:?} is no host name")),
        _ => Ok(host.parse().map_or_else(|_| Host::Name(host.into()), Host::Ip)),
    }
}

fn port_number(port: &str) -> Result<u16, String> {
    match port {
        "" => Err("missing port, write host:port or :port".into()),
        _ if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse().map_err(|_| format!("port {port} is above 65535"))
        }
        _ => service::port(port).ok_or_else(|| format!("no port number and no service name: {port:?}")),
    }
}

/// The form that was parsed, with the number for a service name.
impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp { host, port } => write!(f, "{host}:{port}"),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An IPv6 address is in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => Ok(()),
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Ip(address) => address.fmt(f),
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let same = [
            "127.0.0.1:8086",
            "0.0.0.0:0",
            ":80",
            "[::]:443",
            "[::1]:65535",
            "[fe80::1%lo]:1",
            "db-1.example_x.com:1",
            "unix:/run/x.sock",
            "unix:relative:1",
        ];
        for text in same {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), text);
        }
        let other = [
            (":http", ":80"),
            ("localhost:mysql", "localhost:3306"),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1"),
            ("[0:0::1]:08", "[::1]:8"),
        ];
        for (text, printed) in other {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn refuses_with_the_fix() {
        let bad = [
            ("", "missing port"),
            ("8086", "missing port, write host:port or :port"),
            ("localhost:", "missing port"),
            ("::1:80", "write [v6]:port"),
            ("[::1]80", "write an IPv6 address as [v6]:port"),
            ("[::1", "write an IPv6 address"),
            ("[127.0.0.1]:80", "no IPv6 address"),
            ("[::1%]:80", "no IPv6 address"),
            (":65536", "above 65535"),
            (":+80", "no service name"),
            (":-1", "no service name"),
            (":no-such-service", "no service name"),
            ("a b:80", "no host name"),
            ("http://x:80", "too many colons"),
            ("unix:", "write unix:/path"),
            ("unix:/a\0b", "NUL"),
        ];
        for (text, why) in bad {
            let error = text.parse::<ListenAddr>().unwrap_err();
            assert!(error.why.contains(why), "{text:?}: {error}");
        }
    }
}
