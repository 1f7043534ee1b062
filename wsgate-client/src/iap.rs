//! Identity tokens for Google's Identity-Aware Proxy (IAP): who gives them.
//!
//! | configured | source |
//! |---|---|
//! | `--iap-credential FILE` | the service account's key signs an assertion, `token_uri` gives the token |
//! | `GOOGLE_APPLICATION_CREDENTIALS` of a service account | the same |
//! | a user's application-default credentials, `--iap-impersonate SA` | IAM Credentials, asked as the user |
//! | none of them | the metadata server of the machine |

mod choice;
mod metadata;
mod user;

use std::time::SystemTime;

use https::fetch::{Client, Request};

use crate::fetch::{AskError, ask, text_of};
use crate::held::Held;
use crate::keeper::Source;
use crate::service_account::ServiceAccount;
use crate::source::SourceError;

pub(crate) use choice::{Environment, account, choose};
use metadata::Metadata;
use user::User;

/// What a client id ends with; it may be left out.
const SUFFIX: &str = ".apps.googleusercontent.com";
/// RFC 7523 section 2.1.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Gets identity tokens for the IAP.
#[derive(Debug)]
pub(crate) struct Iap {
    /// The client id, in full.
    audience: String,
    giver: Giver,
}

#[derive(Debug)]
enum Giver {
    Account { account: ServiceAccount, client: Client },
    Metadata(Metadata),
    User(User),
}

impl Source for Iap {
    async fn token(&self, now: SystemTime) -> Result<Held, SourceError> {
        match &self.giver {
            Giver::Account { account, client } => by_assertion(account, client, &self.audience, now).await,
            Giver::Metadata(metadata) => metadata.identity(&self.audience, now).await,
            Giver::User(user) => user.identity(&self.audience, now).await,
        }
    }

    fn name(&self) -> String {
        match &self.giver {
            Giver::Account { account, .. } => format!("identity of {}", account.email),
            Giver::Metadata(_) => "identity from the metadata server".into(),
            Giver::User(user) => format!("identity of {} by a user's credentials", user.impersonated()),
        }
    }
}

/// `POST token_uri`, `grant_type=…&assertion=…` → `{"id_token": "…"}`
async fn by_assertion(
    account: &ServiceAccount,
    client: &Client,
    audience: &str,
    now: SystemTime,
) -> Result<Held, SourceError> {
    let assertion = account.assertion(audience, now)?;
    let form = [("grant_type", GRANT), ("assertion", &assertion)];
    let request = Request::form(account.token_url.clone(), &form);
    let held = async {
        let answer = ask(client, &request).await?;
        let token = text_of(&answer, "id_token").ok_or(AskError::Useless("no id_token in it"))?;
        Ok(Held::identity(&token, now)?)
    };
    held.await.map_err(|error| no_identity(&request, error))
}

fn no_identity(request: &Request, error: AskError) -> SourceError {
    SourceError::Asked { what: "identity token", from: request.url.authority(), error }
}
