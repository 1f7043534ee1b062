//! From a token to an identity.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::claims::{Claims, Dates};
use crate::compact::Compact;
use crate::jose::Jose;
use crate::keyset::Candidates;
use crate::{Algorithm, Key, KeySet, Policy, Refused};

/// Verifies `token` against `keys` and `policy` at the time `now`.
///
/// # Errors
/// The first rule that is broken; form, header, claims and times come before any signature check.
pub fn verify(token: &str, keys: &KeySet, policy: &Policy, now: SystemTime) -> Result<Verified, Refused> {
    Unverified::parse(token)?.verify(keys, policy, now)
}

/// A well-formed token whose signature nobody has checked. Its subject may choose the key set that
/// it is then verified with, and must serve for nothing else.
pub struct Unverified<'a> {
    token: Compact<'a>,
    jose: Jose,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart: size, alphabet, base64url, JOSE header, types of the claims.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(token: &'a str) -> Result<Self, Refused> {
        let token = Compact::parse(token)?;
        let jose = Jose::parse(&token.header)?;
        let claims = Claims::parse(&token.payload)?;
        Ok(Unverified { token, jose, claims })
    }

    /// The unverified `sub`; not empty.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// The unverified `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.jose.kid.as_deref()
    }

    /// Verifies claims, then key, then signature.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify(self, keys: &KeySet, policy: &Policy, now: SystemTime) -> Result<Verified, Refused> {
        policy.check(&self.claims, now)?;
        let candidates = keys.candidates(self.jose.kid.as_deref(), self.jose.algorithm)?;
        let key = self.signer(candidates, now)?;
        Ok(Verified {
            subject: self.claims.subject,
            key_fingerprint: key.public.fingerprint().to_owned(),
            kid: self.jose.kid,
            algorithm: self.jose.algorithm,
            issued: time(self.claims.dates.issued),
            expires: time(self.claims.dates.expires),
            claims: self.claims.all,
            dates: self.claims.dates,
        })
    }

    /// One key may be in the set twice, as with a certificate and its renewal: any valid one will do.
    fn signer<'k>(&self, candidates: Candidates<'k>, now: SystemTime) -> Result<&'k Key, Refused> {
        let mut reason = Refused::Signature;
        for key in candidates {
            let message = self.token.signing_input.as_bytes();
            if key.public.verifies(self.jose.algorithm, message, &self.token.signature) {
                if key.is_valid_at(now) {
                    return Ok(key);
                }
                reason = Refused::KeyExpired;
            }
        }
        Err(reason)
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.jose.algorithm).finish_non_exhaustive()
    }
}

/// `claims` bounds a date to the year 9999, which every clock of ours can hold.
fn time(since_epoch: Duration) -> SystemTime {
    UNIX_EPOCH + since_epoch
}

/// Who a token speaks for. The strings are the signer's choice: escape them in logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// `sub`: not empty, at most [`Policy::max_subject`] bytes, any Unicode
    pub subject: String,
    /// All claims, `sub` and the times among them
    pub claims: Map<String, Value>,
    /// [`crate::PublicKey::fingerprint`] of the key that verified the signature
    pub key_fingerprint: String,
    /// `kid` of the token; the key itself may have none
    pub kid: Option<String>,
    /// `alg` of the token
    pub algorithm: Algorithm,
    /// `exp`, without the leeway
    pub expires: SystemTime,
    /// `iat`
    pub issued: SystemTime,
    dates: Dates,
}

impl Verified {
    /// Whether a token that was verified before, with some earlier key set, is still good: its times,
    /// and that its key is still there, allows the algorithm, and is valid. For caches of identities.
    ///
    /// # Errors
    /// `Expired`, `TooOld`, `Lifetime`, `Future`, `NotYet`, `KidMissing`, `KeyRemoved` or `KeyExpired`.
    pub fn recheck(&self, keys: &KeySet, policy: &Policy, now: SystemTime) -> Result<(), Refused> {
        policy.check_dates(&self.dates, now)?;
        let candidates = keys.candidates(self.kid.as_deref(), self.algorithm);
        let mut same = candidates
            .map_err(|refused| if refused == Refused::KidMissing { refused } else { Refused::KeyRemoved })?
            .filter(|key| key.public.fingerprint() == self.key_fingerprint)
            .peekable();
        same.peek().ok_or(Refused::KeyRemoved)?;
        if same.any(|key| key.is_valid_at(now)) { Ok(()) } else { Err(Refused::KeyExpired) }
    }
}

#[cfg(test)]
mod tests {
    use crate::{PrivateKey, PublicKey, Refused, Verified};

    #[test]
    fn tasks_may_share_them() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<(crate::KeySet, PublicKey, PrivateKey, Verified, Refused)>();
    }
}
