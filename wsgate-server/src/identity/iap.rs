//! Callers whom Google's Identity-Aware Proxy asserts:
//!
//! ```text
//! x-goog-iap-jwt-assertion: eyJhbGciOiJFUzI1NiIs….eyJhdWQiOi….…
//!     {"alg":"ES256","kid":"…"}   {"iss":"https://cloud.google.com/iap","aud":"/projects/…","email":"…",…}
//! ```
//!
//! The proxy's other headers, `x-goog-authenticated-user-*`, are not signed and never looked at.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use http::header::{HeaderMap, HeaderName};
use https::fetch::{Client, Limits};
use https::jwks::{JwksCache, JwksConfig, JwksSource};
use https::proxy::ProxyRule;
use https::{ClientFiles, ClientTls};
use token::{Algorithm, JwkSet, Key, KeySet, MAX_TRIED, Origin, Policy, Refused, Unverified};
use tokio_util::sync::CancellationToken;

use super::{Caller, Denied, Known, short};
use crate::file::Jwks;
use crate::refusal::Refusal;

const ASSERTION: HeaderName = HeaderName::from_static("x-goog-iap-jwt-assertion");
const ISSUER: &str = "https://cloud.google.com/iap";
/// Where its keys are published unless `--iap-jwks` says otherwise.
const PUBLISHED: &str = "https://www.gstatic.com/iap/verify/public_key-jwk";
/// The longest e-mail, in bytes: RFC 5321 has 254, and an issuer's prefix may stand before it.
const LONGEST: usize = 320;

/// The audiences that assertions are taken for, and the keys that sign them.
#[derive(Clone, Debug)]
pub struct Iap {
    source: Jwks,
    keys: JwksCache,
    policy: Policy,
}

impl Iap {
    /// Keeps the keys from `source` fresh from now on; `before` has been doing so if it has the same source.
    /// Blocks for as long as reading files takes, inside a tokio runtime.
    ///
    /// # Errors
    /// A file that is no JWK set, a URL that cannot be fetched from, no system certificates.
    pub(crate) fn start(source: Option<Jwks>, audience: Vec<String>, before: Option<&Iap>) -> Result<Self> {
        let source = match source {
            Some(source) => source,
            None => Jwks::Url(http::Uri::from_static(PUBLISHED)),
        };
        let told = || format!("--iap-jwks {source}");
        let checked = check(&source).with_context(told)?;
        let keys = match before.filter(|before| before.source == source) {
            Some(same) => {
                same.keys.refetch();
                same.keys.clone()
            }
            None => {
                let config = JwksConfig {
                    source: checked,
                    refresh: None,
                    max_stale: None,
                    max_tried: MAX_TRIED,
                    copy: None,
                    counts: Arc::default(),
                };
                JwksCache::start(config, &CancellationToken::new())
            }
        };
        let policy = Policy { audience, issuer: vec![ISSUER.to_owned()], ..Policy::default() };
        Ok(Self { source, keys, policy })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.keys.keys().is_some()
    }

    /// Waits for the first keys.
    pub(crate) async fn ready(&self) {
        // It fails when the cache has ended, and then there is nothing to wait for.
        let _ = self.keys.subscribe().wait_for(Option::is_some).await;
    }

    #[cfg(test)]
    pub(super) fn changes(&self) -> tokio::sync::watch::Receiver<Option<Arc<KeySet>>> {
        self.keys.subscribe()
    }

    pub(super) fn verify(&self, headers: &HeaderMap, now: SystemTime) -> Result<Known, Refusal> {
        let keys = self.keys.keys().ok_or(Refusal::IdentityNotReady)?;
        let known = asserted(headers, &keys, &self.policy, now);
        if known == Err(Denied::Assertion(Refused::NoKey)) {
            self.keys.unknown_kid();
        }
        Ok(known?)
    }
}

/// What can be known of a source without the network.
fn check(source: &Jwks) -> Result<JwksSource> {
    match source {
        Jwks::Url(url) => {
            let tls = Arc::new(ClientTls::load(ClientFiles::default())?);
            let proxies = ProxyRule::new(None, |name| std::env::var(name).ok())?;
            let client = Client { tls, proxies, limits: Limits::default() };
            Ok(JwksSource::Url(client, url.to_string().parse()?))
        }
        Jwks::File(path) => {
            JwkSet::parse(&std::fs::read(path)?, Origin::File)?.into_key_set()?;
            Ok(JwksSource::File(path.clone()))
        }
    }
}

/// Whom the one assertion in `headers` is on.
pub(super) fn asserted(
    headers: &HeaderMap,
    keys: &KeySet,
    policy: &Policy,
    now: SystemTime,
) -> Result<Known, Denied> {
    let mut lines = headers.get_all(ASSERTION).iter();
    let line = lines.next().ok_or(Denied::NoAssertion)?;
    if lines.next().is_some() {
        return Err(Denied::SeveralAssertions);
    }
    let token = line.to_str().map_err(|_| Denied::Assertion(Refused::Alphabet))?;
    let unverified = Unverified::parse(token).map_err(Denied::Assertion)?;
    let kid = unverified.kid().ok_or(Denied::Assertion(Refused::KidMissing))?.to_owned();
    let verified = unverified.verify(keys, policy, now).map_err(Denied::Assertion)?;
    if verified.algorithm != Algorithm::Es256 {
        return Err(Denied::Assertion(Refused::Algorithm));
    }
    // A set may have keys without a name, which are tried for any token; here the name decides.
    let named =
        |key: &Key| key.kid.as_ref() == Some(&kid) && key.public.fingerprint() == verified.key_fingerprint;
    if !keys.keys().iter().any(named) {
        return Err(Denied::Assertion(Refused::NoKey));
    }
    let text = |claim| verified.claims.get(claim).and_then(|value| value.as_str());
    text("aud").ok_or(Denied::Assertion(Refused::Audience))?; // a list of them is not what IAP makes
    let email = text("email").filter(|email| is_email(email)).ok_or(Denied::Email)?.to_owned();
    let key = short(&verified.key_fingerprint).to_owned();
    let caller = Caller { user: email.clone(), method: "iap", key };
    // The proxy's `sub` is a number of its own, and no `sub` that a rule means.
    Ok(Known { caller, sub: None, email: Some(email), claims: verified.claims })
}

fn is_email(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
