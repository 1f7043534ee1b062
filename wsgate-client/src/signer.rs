//! Tokens that are signed with a private key and live a minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use daemon::reload::Snapshot;
use http::HeaderValue;
use serde::Serialize;
use token::{PrivateKey, SignError};

use crate::credential::{bearer, seconds};
use crate::source::SourceError;

/// How long a token is valid.
const LIFE: Duration = Duration::from_secs(60);
/// A token is not used for so long before it expires: it has a way to go, and clocks differ.
const MARGIN: Duration = Duration::from_secs(15);
/// The longest `sub` that the gateway takes, in bytes.
const LONGEST_USER: usize = 256;

/// Signs tokens, each of them used until shortly before it expires: a thousand connections at once cost one
/// RSA signature.
#[derive(Debug)]
pub(crate) struct Signer {
    path: PathBuf,
    key: Snapshot<PrivateKey>,
    user: String,
    latest: Mutex<Option<Signed>>,
}

/// A token. Its value is marked as sensitive, so that no debug output shows it.
#[derive(Debug, Clone)]
struct Signed {
    bearer: HeaderValue,
    issued: SystemTime,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
}

impl Signer {
    pub(crate) fn load(path: &Path, user: &str) -> Result<Self> {
        if user.is_empty() || user.len() > LONGEST_USER {
            bail!("--private-key-user is empty or longer than {LONGEST_USER} bytes; give a name");
        }
        let key = read(path)?;
        tracing::info!(user, algorithm = %key.algorithm().name(), "tokens are signed");
        let (path, key) = (path.to_owned(), Snapshot::new(key));
        Ok(Self { path, key, user: user.to_owned(), latest: Mutex::new(None) })
    }

    /// Reads the key's file again; for [`Signer::sign_with`].
    ///
    /// # Errors
    /// If it has no key.
    pub(crate) fn read(&self) -> Result<PrivateKey> {
        read(&self.path)
    }

    /// Signs with `key` from now on.
    pub(crate) fn sign_with(&self, key: PrivateKey) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if key.public().fingerprint() != self.key.load().public().fingerprint() {
            tracing::info!(user = self.user, algorithm = %key.algorithm().name(), "tokens are signed with another key");
            self.key.store(key);
            *latest = None;
        }
    }

    /// `Bearer TOKEN`, valid at `now` and for some time. The lock is held while signing, so that those who
    /// come at the same time wait for the one signature.
    pub(crate) fn bearer(&self, now: SystemTime) -> Result<HeaderValue, SourceError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(signed) if signed.is_good_at(now) => Ok(signed.bearer.clone()),
            _ => {
                let signed = self.sign(now)?;
                let bearer = signed.bearer.clone();
                *latest = Some(signed);
                Ok(bearer)
            }
        }
    }

    fn sign(&self, now: SystemTime) -> Result<Signed, SourceError> {
        let iat = seconds(now)?;
        let claims = Claims { sub: &self.user, iat, exp: iat + LIFE.as_secs() };
        let token = self.key.load().sign(None, &claims)?;
        let bearer = bearer(&token).ok_or(SignError::Key)?; // base64url and dots always fit
        Ok(Signed { bearer, issued: now })
    }
}

impl Signed {
    /// A clock that was set back makes a token come from the future, which no gateway takes.
    fn is_good_at(&self, now: SystemTime) -> bool {
        now.duration_since(self.issued).is_ok_and(|age| age < LIFE - MARGIN)
    }
}

fn read(path: &Path) -> Result<PrivateKey> {
    let file = || format!("--private-key {}", path.display());
    let pem = fs::read(path).with_context(file)?;
    PrivateKey::from_pem(&pem).with_context(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;
    use token::{Bare, Key, KeySet, NewKey, Policy, PublicKey, verify};

    fn signer() -> Signer {
        let key = PrivateKey::generate(NewKey::P256).unwrap();
        Signer {
            path: PathBuf::new(),
            key: Snapshot::new(key),
            user: "alice".into(),
            latest: Mutex::new(None),
        }
    }

    #[test]
    fn a_token_is_what_the_gateway_takes() {
        let signer = signer();
        let now = SystemTime::now();
        let value = signer.bearer(now).unwrap();
        let token = token::bearer([value.as_bytes()], Bare::Refuse).unwrap().token;
        let keys = PublicKey::from_pem(signer.key.load().public_pem().as_bytes()).unwrap();
        let keys = KeySet::new(vec![Key::from(keys)]).unwrap();
        let verified = verify(token, &keys, &Policy::default(), now).unwrap();
        assert_eq!(verified.subject, "alice");
        assert_eq!(verified.expires.duration_since(verified.issued).unwrap(), LIFE);
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_expires() {
        let signer = signer();
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let first = signer.bearer(start).unwrap();
        for (second, same) in [(0, true), (44, true), (45, false)] {
            let again = signer.bearer(start + Duration::from_secs(second)).unwrap();
            assert_eq!(again == first, same, "after {second} s");
        }
        let second = signer.bearer(start + Duration::from_secs(46)).unwrap();
        assert_eq!(second, signer.bearer(start + Duration::from_secs(89)).unwrap());
        assert_ne!(second, signer.bearer(start + Duration::from_secs(44)).unwrap(), "the clock was set back");
    }

    #[test]
    fn another_key_signs_the_next_token() {
        let signer = signer();
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let first = signer.bearer(start).unwrap();
        let same = PrivateKey::from_pem(signer.key.load().to_pem().unwrap().as_bytes()).unwrap();
        signer.sign_with(same);
        assert_eq!(signer.bearer(start).unwrap(), first, "the file was touched, the key is the same");
        signer.sign_with(PrivateKey::generate(NewKey::Ed25519).unwrap());
        let second = signer.bearer(start).unwrap();
        assert_ne!(second, first);
        let key = PublicKey::from_pem(signer.key.load().public_pem().as_bytes()).unwrap();
        let keys = KeySet::new(vec![Key::from(key)]).unwrap();
        let token = token::bearer([second.as_bytes()], Bare::Refuse).unwrap().token;
        assert!(verify(token, &keys, &Policy::default(), start).is_ok());
    }

    #[test]
    fn debug_output_shows_no_token() {
        let signer = signer();
        let value = signer.bearer(SystemTime::now()).unwrap();
        let text = format!("{signer:?}");
        assert!(!text.contains(value.to_str().unwrap()) && text.contains("Sensitive"), "{text}");
    }
}
