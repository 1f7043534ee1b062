//! What a token must say to be taken, apart from being signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::Refused;
use crate::claims::{Claims, Dates};

/// Which claims are taken. `exp`, `iat` and `sub` are always required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long after its `iat` a token is taken; `None`: as long as `exp` says
    pub freshness: Option<Duration>,
    /// How far two clocks may be apart; it widens every comparison with the time
    pub leeway: Duration,
    /// If not empty, `aud` must be or contain one of these, byte for byte (RFC 7519 §4.1.3)
    pub audience: Vec<String>,
    /// If not empty, `iss` must be one of these, byte for byte (RFC 7519 §4.1.1)
    pub issuer: Vec<String>,
    /// The most that `exp` − `iat` may be
    pub max_lifetime: Option<Duration>,
    /// The longest `sub`, in bytes
    pub max_subject: usize,
}

/// Leeway 30 s, `sub` up to 256 bytes, nothing else asked for.
impl Default for Policy {
    fn default() -> Self {
        Policy {
            freshness: None,
            leeway: Duration::from_secs(30),
            audience: Vec::new(),
            issuer: Vec::new(),
            max_lifetime: None,
            max_subject: 256,
        }
    }
}

impl Policy {
    pub(crate) fn check(&self, claims: &Claims, now: SystemTime) -> Result<(), Refused> {
        if claims.subject.len() > self.max_subject {
            return Err(Refused::SubjectLength);
        }
        self.check_dates(&claims.dates, now)?;
        self.check_audience(&claims.all)?;
        self.check_issuer(&claims.all)
    }

    /// A clock before 1970 counts as 1970: then every token is from the future.
    pub(crate) fn check_dates(&self, dates: &Dates, now: SystemTime) -> Result<(), Refused> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let latest = now.saturating_add(self.leeway);
        if now >= dates.expires.saturating_add(self.leeway) {
            return Err(Refused::Expired);
        }
        if dates.issued > latest {
            return Err(Refused::Future);
        }
        if dates.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(Refused::NotYet);
        }
        let stale_after = |freshness| dates.issued.saturating_add(freshness).saturating_add(self.leeway);
        if self.freshness.is_some_and(|freshness| now > stale_after(freshness)) {
            return Err(Refused::TooOld);
        }
        let lifetime = dates.expires.saturating_sub(dates.issued);
        if self.max_lifetime.is_some_and(|max| lifetime > max) {
            return Err(Refused::Lifetime);
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Refused> {
        if self.audience.is_empty() {
            return Ok(());
        }
        let named = match claims.get("aud") {
            None => return Err(Refused::Audience),
            Some(Value::Array(names)) => names.as_slice(),
            Some(name) => std::slice::from_ref(name),
        };
        let mut ours = false;
        for name in named {
            let name = name.as_str().ok_or(Refused::ClaimType("aud"))?;
            ours |= self.audience.iter().any(|audience| audience == name);
        }
        if ours { Ok(()) } else { Err(Refused::Audience) }
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), Refused> {
        if self.issuer.is_empty() {
            return Ok(());
        }
        match claims.get("iss") {
            Some(Value::String(name)) if self.issuer.contains(name) => Ok(()),
            None | Some(Value::String(_)) => Err(Refused::Issuer),
            Some(_) => Err(Refused::ClaimType("iss")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_800_000_000;
    const S: Duration = Duration::from_secs(1);
    const NS: Duration = Duration::from_nanos(1);

    fn from(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn dates(issued: Duration, expires: Duration, not_before: Option<Duration>) -> Dates {
        Dates { issued, expires, not_before }
    }

    /// Leeway 30 s, freshness 60 s, at most 300 s long; each limit to the nanosecond.
    #[test]
    fn dates_are_checked_at_their_limits() {
        let policy = Policy { freshness: Some(60 * S), max_lifetime: Some(300 * S), ..Policy::default() };
        let now = from(T);
        let rows = [
            (dates(now, now + S, None), Ok(())),
            (dates(now - S, now - 30 * S + NS, None), Ok(())),
            (dates(now - S, now - 30 * S, None), Err(Refused::Expired)),
            (dates(now + 30 * S, now + 60 * S, None), Ok(())),
            (dates(now + 30 * S + NS, now + 60 * S, None), Err(Refused::Future)),
            (dates(now, now + S, Some(now + 30 * S)), Ok(())),
            (dates(now, now + S, Some(now + 30 * S + NS)), Err(Refused::NotYet)),
            (dates(now - 90 * S, now + S, None), Ok(())),
            (dates(now - 90 * S - NS, now + S, None), Err(Refused::TooOld)),
            (dates(now, now + 300 * S, None), Ok(())),
            (dates(now, now + 300 * S + NS, None), Err(Refused::Lifetime)),
        ];
        for (dates, expected) in rows {
            assert_eq!(policy.check_dates(&dates, UNIX_EPOCH + now), expected, "{dates:?}");
        }
    }

    #[test]
    fn odd_clocks_and_odd_policies_do_not_panic() {
        let good = dates(from(T), from(T + 60), None);
        let before = UNIX_EPOCH - S;
        assert_eq!(Policy::default().check_dates(&good, before), Err(Refused::Future));
        let endless = Policy { leeway: Duration::MAX, freshness: Some(Duration::MAX), ..Policy::default() };
        assert_eq!(endless.check_dates(&good, UNIX_EPOCH + from(T)), Ok(()));
        let strict = Policy { leeway: Duration::ZERO, freshness: Some(Duration::ZERO), ..Policy::default() };
        assert_eq!(strict.check_dates(&good, UNIX_EPOCH + from(T)), Ok(()));
        assert_eq!(strict.check_dates(&good, UNIX_EPOCH + from(T) + NS), Err(Refused::TooOld));
    }
}
