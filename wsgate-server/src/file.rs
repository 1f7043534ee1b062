//! The file of `--config`: TOML with everything that the flags say, and what does not fit into flags.
//!
//! ```toml
//! listen = ":8086"
//! max_connections = 2000
//! jwt_freshness = "30m"
//!
//! [[destination]]
//! name = "mysql"
//! upstream = "10.0.3.7:3306"
//! allow = ["alice", "batch-*", "*@example.com", { claim = "groups", contains = "dba" }]
//! max_connections = 50
//!
//! [[key]]
//! file = "batch.pub.pem"
//! subjects = ["batch-*"]
//!
//! [[user]]
//! email = "alice@example.com"
//! subjects = ["alice", "batch-*"]
//! ```
//!
//! A key that is not known is an error, and every error names file and line. A relative path is relative to
//! the file. A flag on the command line wins over the file, so what the file does not say is `None` or empty
//! here, and never a default.

mod place;
mod table;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use daemon::GoDuration;
use daemon::listen::ListenAddr;
use ipnet::IpNet;
use serde::Deserialize;
use tunnel::size::{ByteSize, Window};

use crate::rules::{Bare, Pairing, Rules};
use place::Wrong;
pub use table::{Destination, Jwks, Key, Together, User};

/// What a file says. A field without a word on it is the flag of the same name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// `--listen`.
    #[serde(deserialize_with = "text::some")]
    pub listen: Option<ListenAddr>,
    /// `--status-listen`.
    #[serde(deserialize_with = "text::some")]
    pub status_listen: Option<ListenAddr>,
    /// `--map`; its destinations are added to those of the file.
    pub map: Option<PathBuf>,
    /// `--public-key`, each.
    #[serde(alias = "public_keys")]
    pub public_key: Vec<PathBuf>,
    /// `--jwt-freshness`.
    #[serde(deserialize_with = "text::some")]
    pub jwt_freshness: Option<GoDuration>,
    /// `--iap-audience`, each.
    #[serde(alias = "iap_audiences")]
    pub iap_audience: Vec<String>,
    /// `--iap-jwks`.
    #[serde(deserialize_with = "text::some")]
    pub iap_jwks: Option<Jwks>,
    /// `--allow-anonymous`.
    pub allow_anonymous: Option<bool>,
    /// `--allowed-origin`, each: `scheme://host[:port]`.
    #[serde(alias = "allowed_origins", deserialize_with = "text::origins")]
    pub allowed_origin: Vec<String>,
    /// `--dial-timeout`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub dial_timeout: Option<GoDuration>,
    /// `--handshake-timeout`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub handshake_timeout: Option<GoDuration>,
    /// `--write-timeout`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub write_timeout: Option<GoDuration>,
    /// `--shutdown-timeout`.
    #[serde(deserialize_with = "text::some")]
    pub shutdown_timeout: Option<GoDuration>,
    /// `--idle-timeout`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub idle_timeout: Option<GoDuration>,
    /// `--max-lifetime`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub max_lifetime: Option<GoDuration>,
    /// `--resume-grace`, of destinations that do not say their own; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub resume_grace: Option<GoDuration>,
    /// `--no-resume`.
    pub no_resume: Option<bool>,
    /// `--window`.
    #[serde(deserialize_with = "text::some")]
    pub window: Option<Window>,
    /// `--max-detached`.
    pub max_detached: Option<usize>,
    /// `--max-detached-bytes`.
    #[serde(deserialize_with = "text::some")]
    pub max_detached_bytes: Option<ByteSize>,
    /// `--buffer-limit`.
    #[serde(deserialize_with = "text::some")]
    pub buffer_limit: Option<ByteSize>,
    /// `--websocket-lifetime`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub websocket_lifetime: Option<GoDuration>,
    /// `--reauth-interval`; 0 is none.
    #[serde(deserialize_with = "text::some")]
    pub reauth_interval: Option<GoDuration>,
    /// `--handover-dir`.
    pub handover_dir: Option<PathBuf>,
    /// `--max-connections`, from 1 to 1,000,000.
    #[serde(deserialize_with = "text::connections")]
    pub max_connections: Option<usize>,
    /// `--max-connections-per-user`, from 1 to 1,000,000.
    #[serde(deserialize_with = "text::connections")]
    pub max_connections_per_user: Option<usize>,
    /// `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`.
    pub tls_key: Option<PathBuf>,
    /// `--client-ca`.
    pub client_ca: Option<PathBuf>,
    /// `--proxy-protocol-in`.
    pub proxy_protocol_in: Option<bool>,
    /// `--trusted-proxy`, each.
    #[serde(alias = "trusted_proxies", deserialize_with = "text::full_list")]
    pub trusted_proxy: Vec<IpNet>,
    /// `--enable-compression`.
    pub enable_compression: Option<bool>,
    /// `--dump-tcp`: 0, 1 or 2.
    #[serde(deserialize_with = "text::dump")]
    pub dump_tcp: Option<u8>,
    /// `--audit-log`.
    pub audit_log: Option<PathBuf>,
    /// Whether an e-mail and a `sub` must belong together, where both are proven.
    pub pairing: Together,
    /// The `[[destination]]` tables, in order.
    #[serde(rename = "destination")]
    pub destinations: Vec<Destination>,
    /// The `[[key]]` tables, in order.
    #[serde(rename = "key")]
    pub keys: Vec<Key>,
    /// The `[[user]]` tables, in order.
    #[serde(rename = "user")]
    pub users: Vec<User>,
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The first thing wrong, as `file:line: what`.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
        Self::parse(&text, path)
    }

    /// Reads `text`, which is the content of `path`.
    ///
    /// # Errors
    /// The first thing wrong, as `file:line: what`.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let (mut file, lines) = Self::read(text).map_err(|Wrong { span, what }| {
            let line = place::line(text, span.map_or(0, |span| span.start));
            anyhow!("{}:{line}: {what}", path.display())
        })?;
        for (destination, line) in file.destinations.iter_mut().zip(lines) {
            destination.line = line;
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        for path in file.paths() {
            *path = directory.join(&path);
        }
        Ok(file)
    }

    /// With the line of each destination.
    fn read(text: &str) -> Result<(Self, Vec<usize>), Wrong> {
        let file = toml::from_str(text)?;
        Ok((file, place::check_unique(text)?))
    }

    /// Every path in it.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let sockets =
            [&mut self.listen, &mut self.status_listen].into_iter().filter_map(|listen| match listen {
                Some(ListenAddr::Unix(path)) => Some(path),
                _ => None,
            });
        let jwks = match &mut self.iap_jwks {
            Some(Jwks::File(path)) => Some(path),
            _ => None,
        };
        let single = [
            &mut self.map,
            &mut self.tls_cert,
            &mut self.tls_key,
            &mut self.client_ca,
            &mut self.audit_log,
            &mut self.handover_dir,
        ];
        let keys = self.keys.iter_mut().map(|key| &mut key.file);
        sockets.chain(jwks).chain(single.into_iter().flatten()).chain(&mut self.public_key).chain(keys)
    }

    /// Who may reach its destinations.
    pub fn rules(&self, bare: Bare) -> Rules {
        let listed = |to: &Destination| Some((to.name.clone(), to.allow.clone()?));
        Rules::new(bare, self.destinations.iter().filter_map(listed))
    }

    /// Which e-mail goes with which `sub`.
    pub fn pairing(&self) -> Pairing {
        match self.pairing {
            Together::Any => Pairing::Any,
            Together::Users => {
                let users = self.users.iter().map(|user| (user.email.clone(), user.subjects.clone()));
                Pairing::Users(users.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests;
