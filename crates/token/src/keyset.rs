//! The keys that may have signed a token, and which of them to try.

use std::time::SystemTime;

use crate::{Algorithm, PublicKey, Refused};

/// How many keys a token may make us try, unless configured otherwise.
pub const MAX_TRIED: usize = 8;

/// A public key and the terms on which it is trusted. Made from a [`PublicKey`], it has no `kid`,
/// all the algorithms of the key, and its certificate's validity; each may then be narrowed.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself
    pub public: PublicKey,
    /// The only `kid` it answers to; `None`: it is tried for any token
    pub kid: Option<String>,
    /// What a token's `alg` may be; one that the key cannot do has no effect
    pub algorithms: Vec<Algorithm>,
    /// The first moment at which the key counts
    pub not_before: Option<SystemTime>,
    /// The last moment at which the key counts
    pub not_after: Option<SystemTime>,
}

impl Key {
    /// Both ends belong to the validity (RFC 5280 §4.1.2.5). There is no leeway: the key's owner
    /// meant the day, and a token's own times have theirs.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|to| now <= to)
    }

    fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.public.algorithms().any(|own| own == algorithm)
    }

    fn answers_to(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.kid.is_none() || self.kid.as_deref() == kid
    }
}

impl From<PublicKey> for Key {
    fn from(public: PublicKey) -> Self {
        let (not_before, not_after) = (public.not_before(), public.not_after());
        Key { kid: None, algorithms: public.algorithms().collect(), not_before, not_after, public }
    }
}

/// Too many keys for one algorithm: a token would make us try them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} keys allow {algorithm}, at most {limit} may; remove keys that are no longer used")]
pub struct KeySetError {
    /// The algorithm
    pub algorithm: Algorithm,
    /// How many keys allow it
    pub found: usize,
    /// How many may
    pub limit: usize,
}

/// Keys, in the order in which they are tried. It may be empty: then every token is refused.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    max_tried: usize,
}

impl KeySet {
    /// A set in which no algorithm has more than [`MAX_TRIED`] keys.
    ///
    /// # Errors
    /// [`KeySetError`] if one has more.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeySetError> {
        KeySet::with_max_tried(keys, MAX_TRIED)
    }

    /// A set in which no algorithm has more than `limit` keys.
    ///
    /// # Errors
    /// [`KeySetError`] if one has more.
    pub fn with_max_tried(keys: Vec<Key>, limit: usize) -> Result<Self, KeySetError> {
        for algorithm in Algorithm::all() {
            check_limit(&keys, None, algorithm, limit)?;
        }
        Ok(KeySet { keys, max_tried: limit })
    }

    /// A set as an issuer publishes it: of any size, if its keys are told apart by `kid`. For no
    /// `kid` and algorithm may there be more than `limit` keys, those without `kid` counted with
    /// each. A token without `kid` tries all keys as long as those are not more than `limit`; then
    /// it is refused with [`Refused::KidMissing`], as OpenID Connect Core 1.0 §10.1 wants it.
    ///
    /// # Errors
    /// [`KeySetError`] if one has more.
    pub fn published(keys: Vec<Key>, limit: usize) -> Result<Self, KeySetError> {
        // Any token has the keys without `kid` to try; one whose `kid` is empty has at least those.
        let kids = || keys.iter().filter_map(|key| key.kid.as_deref()).chain([""]);
        for algorithm in Algorithm::all() {
            for kid in kids().map(Some) {
                check_limit(&keys, kid, algorithm, limit)?;
            }
        }
        Ok(KeySet { keys, max_tried: limit })
    }

    /// The keys, in the order in which they were given.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// With a `kid`, the keys of that name and then those without one; without, all; of these, the
    /// ones that allow the algorithm. None left is an error.
    pub(crate) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Candidates<'_>, Refused> {
        if self.keys.is_empty() {
            return Err(Refused::NoKeys);
        }
        let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.answers_to(kid)).collect();
        if keys.is_empty() {
            return Err(Refused::NoKey);
        }
        keys.retain(|key| key.allows(algorithm));
        if keys.is_empty() {
            return Err(Refused::Algorithm);
        }
        if keys.len() > self.max_tried {
            return Err(Refused::KidMissing);
        }
        if kid.is_some() {
            keys.sort_by_key(|key| key.kid.is_none()); // stable: the given order otherwise
        }
        Ok(keys.into_iter())
    }
}

fn check_limit(
    keys: &[Key],
    kid: Option<&str>,
    algorithm: Algorithm,
    limit: usize,
) -> Result<(), KeySetError> {
    let found = keys.iter().filter(|key| key.answers_to(kid) && key.allows(algorithm)).count();
    if found > limit { Err(KeySetError { algorithm, found, limit }) } else { Ok(()) }
}

pub(crate) type Candidates<'a> = std::vec::IntoIter<&'a Key>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewKey, PrivateKey};

    #[test]
    fn keys_of_the_kid_are_tried_first() {
        let public = PrivateKey::generate(NewKey::Ed25519).unwrap().public().clone();
        let key = |kid: Option<&str>, day| Key {
            kid: kid.map(str::to_owned),
            not_before: Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(day)),
            ..Key::from(public.clone())
        };
        let set = KeySet::new(vec![
            key(None, 0),
            key(Some("a"), 1),
            key(Some("b"), 2),
            key(None, 3),
            key(Some("a"), 4),
        ]);
        let set = set.unwrap();
        let rows = [(None, vec![0, 1, 2, 3, 4]), (Some("a"), vec![1, 4, 0, 3]), (Some("c"), vec![0, 3])];
        for (kid, expected) in rows {
            let tried = set.candidates(kid, Algorithm::EdDsa).unwrap().map(|key| key.not_before.unwrap());
            let tried: Vec<u64> =
                tried.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).collect();
            assert_eq!(tried, expected, "{kid:?}");
        }
    }
}
