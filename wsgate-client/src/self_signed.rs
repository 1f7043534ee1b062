//! Tokens that a service account signs for the IAP itself: nobody is asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use https::Url;

use crate::credential::bearer;
use crate::service_account::{LIFE, ServiceAccount};
use crate::source::SourceError;

/// A token is not used for so long before it expires: it has a way to go, and clocks differ.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// More gateways than any map has; beyond that all are signed for again.
const MOST: usize = 1000;

/// Signs a token for each resource, used until shortly before it expires.
#[derive(Debug)]
pub(crate) struct SelfSigned {
    account: ServiceAccount,
    latest: Mutex<HashMap<String, Signed>>,
}

/// A token. Its value is marked as sensitive, so that no debug output shows it.
#[derive(Debug, Clone)]
struct Signed {
    bearer: HeaderValue,
    issued: SystemTime,
}

impl SelfSigned {
    pub(crate) fn new(account: ServiceAccount) -> Self {
        tracing::info!(account = account.email, "tokens are signed for the IAP");
        Self { account, latest: Mutex::default() }
    }

    /// `Bearer TOKEN` whose `aud` is `resource`, the URL of a gateway without its query.
    pub(crate) fn bearer(&self, resource: &str, now: SystemTime) -> Result<HeaderValue, SourceError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = latest.get(resource).filter(|signed| signed.is_good_at(now)) {
            return Ok(signed.bearer.clone());
        }
        let token = self.account.self_signed(&audience(resource), now)?;
        let bearer = bearer(&token).ok_or(token::SignError::Key)?; // base64url and dots always fit
        if latest.len() >= MOST {
            latest.clear();
        }
        latest.insert(resource.to_owned(), Signed { bearer: bearer.clone(), issued: now });
        Ok(bearer)
    }

    /// Somebody does not take the tokens: sign anew.
    pub(crate) fn refused(&self) {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Signed {
    /// A clock that was set back makes a token come from the future, which nobody takes.
    fn is_good_at(&self, now: SystemTime) -> bool {
        now.duration_since(self.issued).is_ok_and(|age| age < LIFE - MARGIN)
    }
}

/// As a balancer sees the URL: the host in lower case, no port that the scheme says already.
fn audience(resource: &str) -> String {
    resource.parse::<Url>().map_or_else(|_| resource.to_owned(), |url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::UNIX_EPOCH;
    use token::{Key, KeySet, NewKey, Policy, PrivateKey, PublicKey, Verified, verify};

    const EMAIL: &str = "batch@project.iam.example.com";

    fn self_signed() -> (SelfSigned, KeySet) {
        let key = PrivateKey::generate(NewKey::Rsa2048).unwrap();
        let json = json!({
            "type": "service_account", "client_email": EMAIL, "private_key": key.to_pem().unwrap(),
            "private_key_id": "the-kid", "token_uri": "https://token.example.com/",
        });
        let account = ServiceAccount::parse(json.to_string().as_bytes()).unwrap();
        let public = PublicKey::from_pem(key.public_pem().as_bytes()).unwrap();
        (SelfSigned::new(account), KeySet::new(vec![Key::from(public)]).unwrap())
    }

    fn verified(value: &HeaderValue, keys: &KeySet, now: SystemTime) -> Verified {
        let token = value.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        verify(token, keys, &Policy::default(), now).unwrap()
    }

    #[test]
    fn the_audience_is_the_url_of_the_gateway() {
        let (signs, keys) = self_signed();
        let now = SystemTime::now();
        for (resource, audience) in [
            ("https://gw.example.com/proxy/mysql", "https://gw.example.com/proxy/mysql"),
            ("https://GW.example.com:443/proxy/ssh", "https://gw.example.com/proxy/ssh"),
            ("https://gw.example.com:8443/proxy/ssh", "https://gw.example.com:8443/proxy/ssh"),
        ] {
            let claims = verified(&signs.bearer(resource, now).unwrap(), &keys, now);
            assert_eq!((claims.subject.as_str(), claims.kid.as_deref()), (EMAIL, Some("the-kid")));
            assert_eq!((&claims.claims["iss"], &claims.claims["aud"]), (&json!(EMAIL), &json!(audience)));
            assert_eq!(claims.claims.get("target_audience"), None);
            assert_eq!(claims.expires.duration_since(claims.issued).unwrap(), LIFE);
        }
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_expires() {
        let (signs, _) = self_signed();
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let first = signs.bearer("https://gw/", start).unwrap();
        for (second, same) in [(3299, true), (3300, false)] {
            let again = signs.bearer("https://gw/", start + Duration::from_secs(second)).unwrap();
            assert_eq!(again == first, same, "after {second} s");
        }
        assert_eq!(signs.bearer("https://gw/", start).unwrap(), first, "the clock was set back");
        signs.refused();
        assert_ne!(signs.bearer("https://gw/", start + Duration::from_secs(1)).unwrap(), first);
        assert!(!format!("{signs:?}").contains("eyJ"));
    }
}
