//! Callers with a JWT in `Authorization`, signed with a key that we know.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use daemon::log::Limited;
use http::header::{self, HeaderMap};
use token::{Bare, Key, KeySet, Policy};

use super::{Caller, Denied, Known, short};
use crate::rules::{self, Pattern};

/// Whoever holds one of their private halves may connect.
#[derive(Clone, Debug)]
pub struct Keys {
    set: KeySet,
    /// What else a token must say.
    policy: Policy,
    /// By fingerprint, of the keys that may not claim any `sub`.
    subjects: HashMap<String, Vec<Pattern>>,
}

/// A key and whom it may speak for.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The key, with its `kid`.
    pub key: Key,
    /// Which `sub` its tokens may have; `None`: any.
    pub subjects: Option<Vec<Pattern>>,
    /// Where it comes from, for errors.
    pub place: String,
}

impl Keys {
    /// # Errors
    /// Too many keys, or one that is there twice with different subjects.
    pub fn new(trusted: Vec<Trusted>, policy: Policy) -> Result<Self> {
        let mut seen: HashMap<&str, &Trusted> = HashMap::new();
        for one in &trusted {
            let first = seen.entry(one.key.public.fingerprint()).or_insert(one);
            if first.subjects != one.subjects {
                bail!(
                    "{}: the same key as {}, with other subjects; remove one of them",
                    one.place,
                    first.place
                );
            }
        }
        let narrowed = seen.into_iter().filter_map(|(fingerprint, one)| {
            Some((fingerprint.to_owned(), one.subjects.clone()?)) //
        });
        let subjects = narrowed.collect();
        let set = KeySet::new(trusted.into_iter().map(|one| one.key).collect()).context("public keys")?;
        Ok(Self { set, policy, subjects })
    }

    pub(super) fn fingerprints(&self) -> Vec<&str> {
        self.set.keys().iter().map(|key| key.public.fingerprint()).collect()
    }

    pub(super) fn verify(&self, headers: &HeaderMap, now: SystemTime) -> Result<Known, Denied> {
        let lines = headers.get_all(header::AUTHORIZATION).iter().map(|value| value.as_bytes());
        let bearer = token::bearer(lines, Bare::Accept).map_err(Denied::Token)?;
        let verified = token::verify(bearer.token, &self.set, &self.policy, now).map_err(Denied::Token)?;
        let subjects = self.subjects.get(&verified.key_fingerprint).map(Vec::as_slice);
        rules::claims(subjects, &verified.subject).map_err(Denied::Subject)?;
        if bearer.bare {
            warn_of_bare_token();
        }
        let key = short(&verified.key_fingerprint).to_owned();
        let caller = Caller { user: verified.subject.clone(), method: "jwt", key };
        Ok(Known { caller, sub: Some(verified.subject), email: None, claims: verified.claims })
    }
}

/// The original took a token without its scheme, so some callers send it so.
fn warn_of_bare_token() {
    static HOURLY: Mutex<Option<Limited>> = Mutex::new(None);
    let Ok(mut hourly) = HOURLY.lock() else { return };
    let limited = hourly.get_or_insert_with(|| Limited::new(Duration::from_secs(3600)));
    if let Some(left_out) = limited.admit(Instant::now()) {
        tracing::warn!(left_out, "a caller sends its token without a scheme; it should be `Bearer TOKEN`");
    }
}
