//! Where a request goes: scheme, host, port, path.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::PathAndQuery;
use rustls::pki_types::ServerName;

/// The metadata server of a virtual machine at Google; it is at 169.254.169.254.
pub(crate) const METADATA_NAME: &str = "metadata.google.internal";

/// An absolute URL with scheme http, https, ws or wss (RFC 3986, RFC 6455 §3), without user name or
/// password. Its text leaves the query out, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether the connection is in the clear or under TLS
    pub scheme: Scheme,
    /// Whom to connect to
    pub host: Host,
    /// The port, from the scheme if it is not given
    pub port: u16,
    path: PathAndQuery,
}

/// Of WebSocket and HTTP the two differ only in what is said after the connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// http or ws, port 80
    Plain,
    /// https or wss, port 443
    Tls,
}

/// A host name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, never empty; what is no address in the usual form is a name
    Name(String),
    /// A literal address, of IPv6 without its brackets; mapped IPv4 addresses are folded
    Address(IpAddr),
}

/// A text that is no [`Url`]. It does not repeat the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not absolute, or with letters that no URL has
    #[error("this is no URL like https://host:port/path")]
    Form,
    /// Another scheme
    #[error("the URL begins with neither https:// nor http://")]
    Scheme,
    /// A user name before the host
    #[error("the URL has a user name or password in it; remove it")]
    User,
    /// A port that is none
    #[error("the port of the URL is not between 1 and 65535")]
    Port,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::Form)?;
        let scheme = match uri.scheme_str() {
            Some("http" | "ws") => Scheme::Plain,
            Some("https" | "wss") => Scheme::Tls,
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::Form),
        };
        let authority = uri.authority().ok_or(UrlError::Form)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::User);
        }
        let after_host = &authority.as_str()[authority.host().len()..];
        let port = match (after_host, authority.port_u16()) {
            ("", _) => scheme.port(),
            (_, Some(port)) if port > 0 => port,
            _ => return Err(UrlError::Port),
        };
        let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        Ok(Url { scheme, host: authority.host().parse()?, port, path })
    }
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Scheme::Plain => 80,
            Scheme::Tls => 443,
        }
    }
}

impl Url {
    /// `host:port`, or the host alone if the port is the scheme's: what the `Host` header says
    /// (RFC 9110 §7.2).
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Path and query, at least `/`.
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path
    }
}

/// Without the query.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Plain => "http",
            Scheme::Tls => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path.path())
    }
}

impl Host {
    /// Whether it is this machine: an address of the loopback network, or `localhost` (RFC 6761 §6.3).
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// Whether it is an address that no public network has: loopback, RFC 1918, RFC 4193, RFC 6598
    /// and link-local. Names are not looked up.
    pub fn is_private_address(&self) -> bool {
        match self {
            Host::Name(_) => false,
            Host::Address(IpAddr::V4(v4)) => {
                let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // 100.64.0.0/10
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared
            }
            Host::Address(IpAddr::V6(v6)) => {
                v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        }
    }

    /// Whether it is an address of the link itself (RFC 3927, RFC 4291 §2.5.6), or the name by which
    /// Google's virtual machines know the metadata server there.
    pub fn is_link_local(&self) -> bool {
        match self {
            Host::Name(name) => name == METADATA_NAME,
            Host::Address(IpAddr::V4(v4)) => v4.is_link_local(),
            Host::Address(IpAddr::V6(v6)) => v6.is_unicast_link_local(),
        }
    }

    /// The name that a certificate must have; `None` if no certificate can have it.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Host::Name(name) => ServerName::try_from(name.clone()).ok(),
            Host::Address(address) => Some(ServerName::from(*address)),
        }
    }
}

/// As it stands in a URL: an IPv6 address in brackets.
impl FromStr for Host {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(v6) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let address: IpAddr = v6.parse().map_err(|_| UrlError::Form)?;
            return Ok(Host::Address(address.to_canonical()));
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Host::Address(address)),
            Err(_) if is_name(text) => Ok(Host::Name(text.to_ascii_lowercase())),
            Err(_) => Err(UrlError::Form),
        }
    }
}

/// Underscores are no letters of a host name, but Docker's networks have them.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Host::Address(v4) => write!(f, "{v4}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let rows = [
            ("https://Example.com", "https://example.com/", "example.com", 443),
            ("wss://example.com:8443/a?b=c", "https://example.com:8443/a", "example.com:8443", 8443),
            ("ws://127.0.0.1/", "http://127.0.0.1/", "127.0.0.1", 80),
            ("http://[::1]:81/x", "http://[::1]:81/x", "[::1]:81", 81),
            ("http://[::ffff:10.0.0.1]/", "http://10.0.0.1/", "10.0.0.1", 80),
            ("HTTPS://a_b.c:443/#f", "https://a_b.c/", "a_b.c", 443),
        ];
        for (text, shown, authority, port) in rows {
            let url: Url = text.parse().unwrap();
            assert_eq!(
                (url.to_string().as_str(), url.authority().as_str(), url.port),
                (shown, authority, port)
            );
        }
    }

    #[test]
    fn what_is_refused() {
        let rows = [
            ("", UrlError::Form),
            ("example.com", UrlError::Form),
            ("/path", UrlError::Form),
            ("https://", UrlError::Form),
            ("https://a b/", UrlError::Form),
            ("https://[::1/", UrlError::Form),
            ("https://[fe80::1%25eth0]/", UrlError::Form),
            ("https://a\r\nb/", UrlError::Form),
            ("https://ex*mple/", UrlError::Form),
            ("ftp://example.com/", UrlError::Scheme),
            ("https://u:p@example.com/", UrlError::User),
            ("https://u@example.com/", UrlError::User),
            ("https://example.com:0/", UrlError::Port),
            ("https://example.com:/", UrlError::Port),
            ("https://example.com:65536/", UrlError::Port),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Url>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn which_hosts_are_near() {
        let rows = [
            ("localhost", true, false),
            ("db.localhost", true, false),
            ("notlocalhost", false, false),
            ("127.9.9.9", true, true),
            ("[::1]", true, true),
            ("10.0.0.1", false, true),
            ("172.32.0.1", false, false),
            ("192.168.1.1", false, true),
            ("169.254.169.254", false, true),
            ("100.64.0.1", false, true),
            ("100.128.0.1", false, false),
            ("[fd00::1]", false, true),
            ("[fe80::1]", false, true),
            ("[2001:db8::1]", false, false),
            ("[::ffff:192.168.0.1]", false, true),
        ];
        for (text, loopback, private) in rows {
            let host: Host = text.parse().unwrap();
            assert_eq!((host.is_loopback(), host.is_private_address()), (loopback, private), "{text}");
        }
    }
}
