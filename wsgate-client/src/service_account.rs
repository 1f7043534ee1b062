//! A service account's key file, and what is signed with it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use relay::Address;
use serde::{Deserialize, Serialize};
use token::{Algorithm, PrivateKey};

use crate::credential::{CredentialError, seconds};
use crate::endpoint::Endpoint;

/// How long an assertion is valid: the longest that Google takes.
const LIFE: Duration = Duration::from_secs(3600);

/// Who signs, and where the assertion goes.
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    pub(crate) endpoint: Endpoint,
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
    target_audience: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// Reads the file. Its text is not in any error.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = || format!("--iap-credential {}", path.display());
        Self::parse(&fs::read(path).with_context(file)?).with_context(file)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let file = parsed(json)?;
        let endpoint: Endpoint = file.token_uri.parse().context("token_uri")?;
        if endpoint.tls.is_none() && !is_loopback(&endpoint.address) {
            bail!("token_uri is not https; download the key file again");
        }
        let key = PrivateKey::from_pem(file.private_key.as_bytes()).context("private_key")?;
        ensure!(
            key.algorithm() == Algorithm::Rs256,
            "private_key is no RSA key; download the key file again"
        );
        Ok(Self {
            email: file.client_email,
            endpoint,
            token_uri: file.token_uri,
            key,
            key_id: file.private_key_id,
        })
    }

    /// A token that asks for an identity token for `audience`.
    pub(crate) fn assertion(&self, audience: &str, now: SystemTime) -> Result<String, CredentialError> {
        let iat = seconds(now)?;
        let claims = Claims {
            iss: &self.email,
            sub: &self.email,
            aud: &self.token_uri,
            target_audience: audience,
            iat,
            exp: iat + LIFE.as_secs(),
        };
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

/// A plain token endpoint is for tests.
fn is_loopback(address: &Address) -> bool {
    let Address::Tcp { host, .. } = address else { return false };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}
