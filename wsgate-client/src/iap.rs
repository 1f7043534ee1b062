//! Identity tokens for Google's Identity-Aware Proxy (IAP), fetched with a service account's key.
//!
//! ```text
//! assertion, signed with the key ──POST──► token_uri ──► {"id_token": "…"}, valid for an hour
//! ```

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;

use crate::credential::{CredentialError, bearer};
use crate::fetch::{self, FetchError};
use crate::retry::Budget;
use crate::service_account::ServiceAccount;
use crate::tls::Tls;

/// From so long before its expiry a token is replaced, by one connection while others go on with it.
const RENEW: Duration = Duration::from_secs(5 * 60);
/// From so long before its expiry a token is not used any more: it has a way to go, and clocks differ.
const MARGIN: Duration = Duration::from_secs(30);
/// A replacement that was begun and has not come after so long is begun again.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client id ends with; it may be left out.
const SUFFIX: &str = ".apps.googleusercontent.com";

/// Gets identity tokens, and keeps the latest.
#[derive(Debug)]
pub(crate) struct Iap {
    account: ServiceAccount,
    audience: String,
    latest: Mutex<Option<Latest>>,
}

/// The latest token. Its value is marked as sensitive, so that no debug output shows it.
#[derive(Debug, Clone)]
struct Latest {
    bearer: HeaderValue,
    expires: SystemTime,
    /// When somebody has begun to replace it.
    renewing: Option<SystemTime>,
}

/// What to do for a token now.
#[derive(Debug, PartialEq, Eq)]
enum Now {
    Use(HeaderValue),
    /// Fetch one; until it is there, and if it does not come, this one is good.
    Renew(HeaderValue),
    Fetch,
}

impl Iap {
    pub(crate) fn load(path: &Path, client_id: &str) -> Result<Self> {
        if client_id.is_empty() {
            bail!("--iap-client-id is empty; give the OAuth client id of the IAP");
        }
        let account = ServiceAccount::load(path)?;
        let audience = format!("{}{SUFFIX}", client_id.strip_suffix(SUFFIX).unwrap_or(client_id));
        Ok(Self { account, audience, latest: Mutex::new(None) })
    }

    pub(crate) fn wants_tls(&self) -> bool {
        self.account.endpoint.tls.is_some()
    }

    /// `Bearer TOKEN`, valid for some time.
    pub(crate) async fn bearer(
        &self,
        tls: Option<&Tls>,
        budget: Budget,
    ) -> Result<HeaderValue, CredentialError> {
        let now = SystemTime::now();
        // Its own statement: the lock must not live until the fetch is over.
        let what = self.latest().as_mut().map_or(Now::Fetch, |latest| latest.look(now));
        let old = match what {
            Now::Use(bearer) => return Ok(bearer),
            Now::Renew(bearer) => Some(bearer),
            Now::Fetch => None,
        };
        match (self.fetch(tls, budget, now).await, old) {
            (Ok(latest), _) => {
                let bearer = latest.bearer.clone();
                *self.latest() = Some(latest);
                Ok(bearer)
            }
            (Err(error), Some(bearer)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "identity token not renewed yet");
                Ok(bearer)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn latest(&self) -> MutexGuard<'_, Option<Latest>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(
        &self,
        tls: Option<&Tls>,
        budget: Budget,
        now: SystemTime,
    ) -> Result<Latest, CredentialError> {
        let assertion = self.account.assertion(&self.audience, now)?;
        // The grant type is percent-encoded here; an assertion has no character that needs it.
        let form =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        let endpoint = &self.account.endpoint;
        let failed = |error| CredentialError::Fetch(endpoint.authority.to_string(), error);
        let answer = fetch::post(endpoint, form, tls, budget).await.map_err(failed)?;
        let latest = Latest::read(&answer).map_err(failed)?;
        let valid_s = latest.expires.duration_since(now).unwrap_or_default().as_secs();
        tracing::info!(account = self.account.email, audience = self.audience, valid_s, "identity token");
        Ok(latest)
    }
}

/// The endpoint's answer.
#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

/// Of the token's claims, the one that matters to who carries it.
#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

impl Latest {
    fn read(answer: &[u8]) -> Result<Self, FetchError> {
        let Answer { id_token } =
            serde_json::from_slice(answer).map_err(|_| FetchError::Useless("no id_token in it"))?;
        let expires = expiry(&id_token).ok_or(FetchError::Useless("its id_token has no exp"))?;
        let bearer = bearer(&id_token).ok_or(FetchError::Useless("its id_token is no token"))?;
        Ok(Self { bearer, expires, renewing: None })
    }

    fn look(&mut self, now: SystemTime) -> Now {
        let left = self.expires.duration_since(now).unwrap_or_default();
        let begun = self.renewing.and_then(|begun| now.duration_since(begun).ok());
        match () {
            () if left <= MARGIN => Now::Fetch,
            () if left > RENEW || begun.is_some_and(|age| age < PATIENCE) => Now::Use(self.bearer.clone()),
            () => {
                self.renewing = Some(now);
                Now::Renew(self.bearer.clone())
            }
        }
    }
}

/// The `exp` of a token that nobody has verified: it is for who receives it to do that.
fn expiry(token: &str) -> Option<SystemTime> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(exp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str) -> String {
        format!(r#"{{"id_token":"eyJ.{}.sig"}}"#, URL_SAFE_NO_PAD.encode(payload))
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn an_answer_is_a_token_and_its_expiry() {
        let latest = Latest::read(answer(r#"{"exp":4000,"aud":"x"}"#).as_bytes()).unwrap();
        assert_eq!(latest.expires, at(4000));
        assert!(latest.bearer.to_str().unwrap().starts_with("Bearer eyJ."));
        assert!(!format!("{latest:?}").contains("eyJ"));
        for (bad, says) in [
            ("", "no id_token"),
            (r#"{"access_token":"x"}"#, "no id_token"),
            (r#"{"id_token":"x"}"#, "no exp"),
            (r#"{"id_token":"a.!.c"}"#, "no exp"),
            (&answer("{}"), "no exp"),
            (&answer(r#"{"exp":1}"#).replacen("eyJ", "\\n", 1), "no token"),
        ] {
            let error = Latest::read(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn one_connection_replaces_a_token_while_others_use_it() {
        let mut latest = Latest::read(answer(r#"{"exp":4000}"#).as_bytes()).unwrap();
        let old = latest.bearer.clone();
        for (second, expected) in [
            (400, Now::Use(old.clone())),
            (3699, Now::Use(old.clone())),
            (3700, Now::Renew(old.clone())),
            (3700, Now::Use(old.clone())),
            (3729, Now::Use(old.clone())),
            (3730, Now::Renew(old.clone())),
            (3731, Now::Use(old.clone())),
            (3970, Now::Fetch),
            (5000, Now::Fetch),
        ] {
            assert_eq!(latest.look(at(second)), expected, "at {second}");
        }
    }
}
