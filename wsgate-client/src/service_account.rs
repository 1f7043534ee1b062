//! A service account's key file, and what is signed with it.

use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use https::{Scheme, Url};
use serde::{Deserialize, Serialize};
use token::{Algorithm, PrivateKey};

use crate::credential::seconds;
use crate::source::SourceError;

/// How long what is signed is valid: the longest that Google takes.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);

/// Who signs, and where the assertion goes.
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    pub(crate) token_url: Url,
    /// As it is written in the file: the audience of an assertion.
    token_uri: String,
    key: PrivateKey,
    key_id: String,
}

/// The fields of the file that are used. No `Debug`: one of them is the key.
#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key: String,
    private_key_id: String,
    token_uri: String,
}

/// RFC 7523 section 3; `target_audience` is Google's, and asks for an identity token.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_audience: Option<&'a str>,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// Of the text of a key file, which is not in any error.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let file = parsed(json)?;
        let token_url = token_url(&file.token_uri)?;
        let key = PrivateKey::from_pem(file.private_key.as_bytes()).context("private_key")?;
        ensure!(
            key.algorithm() == Algorithm::Rs256,
            "private_key is no RSA key; download the key file again"
        );
        Ok(Self {
            email: file.client_email,
            token_url,
            token_uri: file.token_uri,
            key,
            key_id: file.private_key_id,
        })
    }

    /// A token that asks for an identity token for `audience`.
    pub(crate) fn assertion(&self, audience: &str, now: SystemTime) -> Result<String, SourceError> {
        self.sign(&self.token_uri, Some(audience), now)
    }

    /// A token for `audience` itself, which nobody else makes.
    pub(crate) fn self_signed(&self, audience: &str, now: SystemTime) -> Result<String, SourceError> {
        self.sign(audience, None, now)
    }

    fn sign(&self, aud: &str, target_audience: Option<&str>, now: SystemTime) -> Result<String, SourceError> {
        let iat = seconds(now)?;
        let (iss, sub) = (&self.email, &self.email);
        let claims = Claims { iss, sub, aud, target_audience, iat, exp: iat + LIFE.as_secs() };
        Ok(self.key.sign(Some(&self.key_id), &claims)?)
    }
}

/// serde_json's errors may repeat a value, and say the line and column in any case.
fn parsed(json: &[u8]) -> Result<File> {
    let value: serde_json::Value =
        serde_json::from_slice(json).map_err(|e| anyhow::anyhow!("line {}: no JSON", e.line()))?;
    let kind = value.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
    ensure!(kind == "service_account", "not the key of a service account (type service_account); create one");
    for name in ["client_email", "private_key", "private_key_id", "token_uri"] {
        let there = value.get(name).is_some_and(serde_json::Value::is_string);
        ensure!(there, "no text {name} in it; download the key file again");
    }
    serde_json::from_value(value).map_err(|_| anyhow::anyhow!("not the form of a key file"))
}

/// Where tokens are given. A plain one is for tests.
pub(crate) fn token_url(token_uri: &str) -> Result<Url> {
    let url: Url = token_uri.parse().context("token_uri")?;
    ensure!(
        url.scheme == Scheme::Tls || url.host.is_loopback(),
        "token_uri is not https; download the key file again"
    );
    Ok(url)
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}
