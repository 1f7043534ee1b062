//! Whether a request came for us: against DNS rebinding.
//!
//! A page of anybody can have its name resolve to 127.0.0.1, and a browser then lets it read what we answer. It
//! says that name in Host, though. So over TCP the host must be an IP address, `localhost` or a name under it, or
//! the name that was given to listen on; a request without Host (HTTP/1.0) comes from no browser. A unix socket
//! is out of every page's reach.

use std::net::IpAddr;

use daemon::listen::{Host, ListenAddr};

/// Who may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    /// Anybody: a unix socket.
    Any,
    /// An address, localhost, or this name.
    Ours(Option<String>),
}

impl Hosts {
    /// Those of a listener that was asked to listen there.
    pub(super) fn of(address: Option<&ListenAddr>, is_unix: bool) -> Self {
        match address {
            _ if is_unix => Self::Any,
            Some(ListenAddr::Tcp { host: Host::Name(name), .. }) => {
                Self::Ours(Some(name.to_ascii_lowercase()))
            }
            _ => Self::Ours(None),
        }
    }

    /// Whether a request with this Host is for us.
    pub(super) fn have(&self, host: Option<&str>) -> bool {
        let (Self::Ours(name), Some(host)) = (self, host) else { return true };
        let host = without_port(host).to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || name.as_deref() == Some(host)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_us_is_answered() {
        let named = Hosts::of(Some(&"status.example.com:9100".parse().unwrap()), false);
        let plain = Hosts::of(Some(&"127.0.0.1:9100".parse().unwrap()), false);
        let unix = Hosts::of(Some(&"unix:/run/x.sock".parse().unwrap()), true);
        for (host, of_named, of_plain) in [
            (None, true, true),
            (Some("127.0.0.1:9100"), true, true),
            (Some("10.1.2.3"), true, true),
            (Some("[::1]:9100"), true, true),
            (Some("[::1]"), true, true),
            (Some("::1"), true, true),
            (Some("LOCALHOST:1"), true, true),
            (Some("localhost."), true, true),
            (Some("a.localhost"), true, true),
            (Some("status.example.com:9100"), true, false),
            (Some("Status.Example.com"), true, false),
            (Some("evil.example"), false, false),
            (Some("127.0.0.1.evil.example:80"), false, false),
            (Some("notlocalhost"), false, false),
            (Some(""), false, false),
        ] {
            assert_eq!((named.have(host), plain.have(host)), (of_named, of_plain), "{host:?}");
            assert!(unix.have(host));
        }
    }
}
