//! Where a backend is: a host and a port, or a unix socket. Names stay names until they are dialled.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// A backend's address, as a map file or a flag gives it: `host:port`, `[v6]:port`, `:port` (this host)
/// or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port of a host; the host is a name or a literal address without brackets.
    Tcp {
        /// Host name or address.
        host: String,
        /// TCP port, never 0.
        port: u16,
    },
    /// The path of a unix stream socket.
    Unix(PathBuf),
}

/// Why a text is no [`Address`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bad address {text:?}: {problem}; write host:port, [v6]:port, :port or unix:/path")]
pub struct BadAddress {
    text: String,
    problem: &'static str,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |problem| BadAddress { text: text.to_owned(), problem };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(bad("the path of a unix socket is absolute"))
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("no port"))?;
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(bad("the port is a number from 1 to 65535")),
            Ok(port) => port,
        };
        Ok(Self::Tcp { host: host_of(host).map_err(bad)?, port })
    }
}

/// The host before the last colon: a name, an IPv4 address, a bracketed IPv6 address, or nothing for
/// this host (as Go's `net.Dial` has it).
fn host_of(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Ok("localhost".to_owned());
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let address = inner.split('%').next().unwrap_or(inner); // a zone may follow: fe80::1%eth0
        return address.parse::<Ipv6Addr>().map(|_| inner.to_owned()).map_err(|_| "no IPv6 address in []");
    }
    if text.contains(':') {
        return Err("an IPv6 address needs brackets");
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || b >= 0x80;
    if text.len() <= 253 && text.bytes().all(fine) { Ok(text.to_owned()) } else { Err("no host name") }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, shown) in [
            ("127.0.0.1:3306", "127.0.0.1:3306"),
            ("db.example.com:3306", "db.example.com:3306"),
            ("my_db:1", "my_db:1"),
            (":3306", "localhost:3306"),
            ("[::1]:22", "[::1]:22"),
            ("[fe80::1%eth0]:22", "[fe80::1%eth0]:22"),
            ("unix:/run/mysqld/mysqld.sock", "unix:/run/mysqld/mysqld.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "no port"),
            ("db", "no port"),
            ("db:", "the port is"),
            ("db:0", "the port is"),
            ("db:65536", "the port is"),
            ("db:mysql", "the port is"),
            ("::1:22", "brackets"),
            ("[::1:22", "brackets"),
            ("[nonsense]:22", "no IPv6"),
            ("a b:22", "no host name"),
            ("a/b:22", "no host name"),
            ("unix:relative", "absolute"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
