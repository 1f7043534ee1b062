//! Identity tokens of a service account that a user may impersonate.
//!
//! ```text
//! refresh_token ──POST──► token endpoint ──► access_token ──POST──► generateIdToken ──► {"token": "…"}
//! ```

use std::fmt;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, ensure};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use https::Url;
use https::fetch::{Client, Request};
use serde_json::{Value, json};

use super::no_identity;
use crate::fetch::{AskError, ask, text_of};
use crate::held::{Held, one_token};
use crate::iap::Environment;
use crate::service_account::token_url;
use crate::source::SourceError;

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const IAM: &str = "https://iamcredentials.googleapis.com";
/// Another IAM Credentials service, on this machine only: what is sent there is as good as the user.
const IAM_VARIABLE: &str = "WSGATE_IAM_CREDENTIALS";
/// Whose quota a user's request counts against.
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// A user's application-default credentials, and whom to impersonate. No `Debug` of the secrets.
pub(crate) struct User {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    quota_project: Option<HeaderValue>,
    account: String,
    token_url: Url,
    iam_url: Url,
    client: Client,
}

impl User {
    /// Of a file of type `authorized_user`, whose text is not in any error.
    pub(super) fn parse(
        json: &[u8],
        account: &str,
        client: Client,
        environment: Environment<'_>,
    ) -> Result<Self> {
        let file: Value = serde_json::from_slice(json).map_err(|_| anyhow!("no JSON"))?;
        let optional = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = |name: &str| {
            optional(name).with_context(|| format!("no text {name} in it; log in to gcloud again"))
        };
        Ok(Self {
            client_id: text("client_id")?,
            client_secret: text("client_secret")?,
            refresh_token: text("refresh_token")?,
            quota_project: optional("quota_project_id").and_then(|project| project.parse().ok()),
            token_url: token_url(optional("token_uri").as_deref().unwrap_or(TOKEN_URI))?,
            iam_url: iam_url(account, environment)?,
            account: account.to_owned(),
            client,
        })
    }

    pub(super) fn impersonated(&self) -> &str {
        &self.account
    }

    pub(super) async fn identity(&self, audience: &str, now: SystemTime) -> Result<Held, SourceError> {
        let access = self.access().await?;
        let question = json!({"audience": audience, "includeEmail": true});
        let mut request = Request::json(self.iam_url.clone(), &question).header(AUTHORIZATION, access);
        if let Some(project) = &self.quota_project {
            request = request.header(QUOTA_PROJECT, project.clone());
        }
        let held = async {
            let answer = ask(&self.client, &request).await?;
            let token = text_of(&answer, "token").ok_or(AskError::Useless("no token in it"))?;
            Ok(Held::identity(&token, now)?)
        };
        held.await.map_err(|error| no_identity(&request, error))
    }

    /// RFC 6749 section 6.
    async fn access(&self) -> Result<HeaderValue, SourceError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("refresh_token", &self.refresh_token),
        ];
        let request = Request::form(self.token_url.clone(), &form);
        let bearer = async {
            let answer = ask(&self.client, &request).await?;
            let token = text_of(&answer, "access_token").ok_or(AskError::Useless("no access_token in it"))?;
            Ok(one_token(&token)?)
        };
        let from = self.token_url.authority();
        bearer.await.map_err(|error| SourceError::Asked { what: "access token", from, error })
    }
}

fn iam_url(account: &str, environment: Environment<'_>) -> Result<Url> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
    ensure!(
        !account.is_empty() && account.bytes().all(fits),
        "--iap-impersonate: give the e-mail address of a service account"
    );
    let other = environment(IAM_VARIABLE).filter(|base| !base.is_empty());
    let base: Url = other.as_deref().unwrap_or(IAM).parse().context(IAM_VARIABLE)?;
    ensure!(other.is_none() || base.host.is_loopback(), "{IAM_VARIABLE} is not on this machine");
    let path = format!("v1/projects/-/serviceAccounts/{account}:generateIdToken");
    format!("{}/{path}", base.to_string().trim_end_matches('/')).parse().context(IAM_VARIABLE)
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User(as {})", self.account)
    }
}
