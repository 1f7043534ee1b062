//! Where a policy is read from: the flags, the configuration file, and the files that they name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest;
use daemon::GoDuration;
use relay::Address;
use token::{Key, PublicKey};

use super::Policy;
use crate::Args;
use crate::config::bound;
use crate::destinations::Destinations;
use crate::file::{self, File, Jwks};
use crate::identity::{Iap, Identity, Keys, Trusted, short};
use crate::origin::Origins;

/// `--jwt-freshness` unless given.
const FRESHNESS: GoDuration = GoDuration(Duration::from_secs(3600));

/// What a policy is read from. The flags stay what they were at the start; files may change.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) args: Args,
    /// The key that `--dev` has made.
    pub(super) made: Option<PublicKey>,
    /// Destinations that no file has.
    pub(super) built_in: Vec<(String, Address)>,
}

impl Source {
    /// What the configuration file says; nothing if there is none.
    pub(super) fn file(&self) -> Result<File> {
        self.args.config.as_deref().map_or_else(|| Ok(File::default()), File::load)
    }

    /// The files that a policy is read from.
    pub(super) fn paths(&self, file: &File) -> Vec<PathBuf> {
        let jwks = match self.jwks(file) {
            Some(Jwks::File(path)) => Some(path),
            _ => None,
        };
        let single = [self.args.config.clone(), self.map(file).map(PathBuf::from), jwks];
        let keys = self.public_keys(file).iter().chain(file.keys.iter().map(|key| &key.file));
        single.into_iter().flatten().chain(keys.cloned()).collect()
    }

    /// Reads everything. `before` is the policy in force.
    pub(super) fn read(&self, file: &File, before: Option<&Policy>) -> Result<Policy> {
        let mut destinations = self.map(file).map(Destinations::load).transpose()?.unwrap_or_default();
        let config = self.args.config.as_deref().unwrap_or(Path::new(""));
        destinations.extend(&file.destinations, config)?;
        for (name, address) in &self.built_in {
            destinations.build_in(name.clone(), address.clone());
        }
        let origins = list(&self.args.allowed_origin, &file.allowed_origin);
        let origins = Origins::new(origins)?;
        let identity = self.identity(file, before)?;
        if let Some(lost) = before.and_then(|before| before.identity.lost_in(&identity)) {
            bail!("{lost}; callers get by with less proof only by a restart");
        }
        Ok(Policy {
            digest: self.digest(file, &destinations, &identity),
            destinations,
            origins,
            rules: file.rules(identity.bare()),
            identity,
            max_connections_per_user: self.args.max_connections_per_user.or(file.max_connections_per_user),
        })
    }

    /// The first 16 hex digits of a SHA-256 of what was read: flags, file, destinations and keys. None of them
    /// is a secret.
    fn digest(&self, file: &File, destinations: &Destinations, identity: &Identity) -> String {
        let mut names: Vec<&str> = destinations.names().collect();
        names.sort_unstable();
        let to: Vec<_> = names.into_iter().map(|name| (name, destinations.get(name))).collect();
        let all = format!("{:?}", (&self.args, file, to, identity.fingerprints()));
        let hash = digest::digest(&digest::SHA256, all.as_bytes());
        hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn identity(&self, file: &File, before: Option<&Policy>) -> Result<Identity> {
        let keys = self.keys(file)?;
        let audience = list(&self.args.iap_audience, &file.iap_audience);
        let anonymous = self.args.allow_anonymous.or(file.allow_anonymous).unwrap_or(false);
        if anonymous && (keys.is_some() || !audience.is_empty()) {
            bail!(
                "--allow-anonymous contradicts --public-key and --iap-audience: with them every caller needs a token"
            );
        }
        let iap = if audience.is_empty() {
            None
        } else {
            let before = before.and_then(|before| before.identity.iap());
            Some(Iap::start(self.jwks(file), audience.to_vec(), before)?)
        };
        Ok(match (keys, iap) {
            (None, None) => Identity::Anonymous { protected: !anonymous },
            (Some(keys), None) => Identity::Keys(keys),
            (None, Some(iap)) => Identity::Iap(iap),
            (Some(keys), Some(iap)) => Identity::Both { keys, iap: Box::new(iap), pairing: file.pairing() },
        })
    }

    fn keys(&self, file: &File) -> Result<Option<Keys>> {
        let mut trusted = Vec::new();
        if let Some(key) = &self.made {
            trusted.push(Trusted { key: Key::from(key.clone()), subjects: None, place: "--dev".to_owned() });
        }
        for path in self.public_keys(file) {
            let place = format!("--public-key {}", path.display());
            trusted.push(Trusted { key: load(path, &place)?, subjects: None, place });
        }
        for file::Key { file, kid, subjects } in &file.keys {
            let place = format!("[[key]] {}", file.display());
            let key = Key { kid: kid.clone(), ..load(file, &place)? };
            trusted.push(Trusted { key, subjects: subjects.clone(), place });
        }
        if trusted.is_empty() {
            return Ok(None);
        }
        let freshness = self.args.jwt_freshness.or(file.jwt_freshness).unwrap_or(FRESHNESS);
        let policy = token::Policy { freshness: bound(freshness), ..token::Policy::default() };
        Keys::new(trusted, policy).map(Some)
    }

    fn map<'a>(&'a self, file: &'a File) -> Option<&'a Path> {
        self.args.map.as_deref().or(file.map.as_deref())
    }

    fn public_keys<'a>(&'a self, file: &'a File) -> &'a [PathBuf] {
        list(&self.args.public_key, &file.public_key)
    }

    fn jwks(&self, file: &File) -> Option<Jwks> {
        self.args.iap_jwks.clone().or_else(|| file.iap_jwks.clone())
    }
}

/// As with any flag: the command line wins, here the whole list.
fn list<'a, T>(flags: &'a [T], file: &'a [T]) -> &'a [T] {
    if flags.is_empty() { file } else { flags }
}

fn load(path: &Path, place: &str) -> Result<Key> {
    let pem = fs::read(path).with_context(|| place.to_owned())?;
    let key = PublicKey::from_pem(&pem).with_context(|| place.to_owned())?;
    tracing::info!(key = %short(key.fingerprint()), kind = ?key.kind(), file = %path.display(), "key loaded");
    Ok(Key::from(key))
}
