//! The tables that a file may have several of.

use std::path::PathBuf;

use daemon::GoDuration;
use relay::Address;
use relay::proxy::Version;
use serde::Deserialize;

use super::text;
use crate::rules::{Pattern, Rule};

/// `[[destination]]`: a private service, and who may reach it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// What stands behind `/proxy/` in a request; each name once.
    #[serde(deserialize_with = "text::name")]
    pub name: String,
    /// The line of its name in the file.
    #[serde(skip)]
    pub line: usize,
    /// Where the service is: `host:port`, `[v6]:port`, `:port` (this host) or `unix:/path`.
    #[serde(deserialize_with = "text::one")]
    pub upstream: Address,
    /// Who may reach it; `None`: every verified caller. An empty list is nobody.
    pub allow: Option<Vec<Rule>>,
    /// Tunnels to it at once; `None`: as many as there may be at all.
    #[serde(default, deserialize_with = "text::connections")]
    pub max_connections: Option<usize>,
    /// Tunnels of one user to it at once; `None`: no bound of its own.
    #[serde(default, deserialize_with = "text::connections")]
    pub max_connections_per_user: Option<usize>,
    /// How long a tunnel to it is kept without a WebSocket, 0: not at all; `None`: `--resume-grace`.
    #[serde(default, deserialize_with = "text::some")]
    pub grace: Option<GoDuration>,
    /// The service is told in a PROXY header who is connecting; `None`: it is not.
    #[serde(default, deserialize_with = "text::some")]
    pub proxy_protocol: Option<Version>,
}

/// `[[key]]`: a public key, and whom it may speak for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The PEM file, as for `--public-key`.
    pub file: PathBuf,
    /// The only `kid` that it answers to; `None`: it is tried for any token.
    pub kid: Option<String>,
    /// Which `sub` its tokens may have; `None`: any. An empty list is none.
    #[serde(default, deserialize_with = "text::some_list")]
    pub subjects: Option<Vec<Pattern>>,
}

/// `[[user]]`: which `sub` of a key's token goes with an e-mail of the Identity-Aware Proxy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The e-mail, letter for letter; each once.
    pub email: String,
    /// The subjects.
    #[serde(deserialize_with = "text::list")]
    pub subjects: Vec<Pattern>,
}

/// `pairing`: whether the e-mail of the Identity-Aware Proxy and the `sub` of a key's token must belong
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Together {
    /// `"users"`: as the `[[user]]` tables say; without a table for an e-mail, they are equal.
    #[default]
    Users,
    /// `"any"`: they need not.
    Any,
}

/// Where the keys of the Identity-Aware Proxy come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// `https://…`, or `http://…` of this host.
    Url(http::Uri),
    /// Anything else is a path.
    File(PathBuf),
}

impl std::str::FromStr for Jwks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("http://") {
            // It would never be fetched: whoever can change it on the way could let anybody in.
            let url: https::Url = text.parse().map_err(|error| format!("bad URL {text:?}: {error}"))?;
            if !url.host.is_loopback() {
                return Err(format!("{text:?} would be fetched in the clear; write https://"));
            }
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return text.parse().map(Self::Url).map_err(|error| format!("bad URL {text:?}: {error}"));
        }
        Ok(Self::File(text.into()))
    }
}

impl std::fmt::Display for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
