//! Who is asked for identity tokens, by flags, files and environment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use https::fetch::Client;
use https::proxy::ProxyRule;
use serde_json::Value;

use super::metadata::Metadata;
use super::user::User;
use super::{Giver, Iap, SUFFIX};
use crate::Args;
use crate::fetch;
use crate::service_account::ServiceAccount;

/// The environment: a variable's name in, its value out.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

const DEFAULT_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The source for the client id that the flags name.
pub(crate) fn choose(args: &Args, client_id: &str, environment: Environment<'_>) -> Result<Iap> {
    ensure!(!client_id.is_empty(), "--iap-client-id is empty; give the OAuth client id of the IAP");
    let audience = format!("{}{SUFFIX}", client_id.strip_suffix(SUFFIX).unwrap_or(client_id));
    let impersonate = args.iap_impersonate.as_deref();
    let giver = match (credential_file(args, environment), impersonate) {
        (Some(file), _) => of_file(&file, impersonate, client(args, environment)?, environment)?,
        (None, Some(_)) => {
            let file = users_file(environment)?;
            of_file(&file, impersonate, client(args, environment)?, environment)?
        }
        (None, None) => Giver::Metadata(Metadata::new(client(args, environment)?, environment)?),
    };
    Ok(Iap { audience, giver })
}

/// The service account that signs for itself.
pub(crate) fn account(args: &Args, environment: Environment<'_>) -> Result<ServiceAccount> {
    let file = credential_file(args, environment).with_context(|| {
        format!("--iap-self-signed needs a service account's key: give --iap-credential, or set {DEFAULT_CREDENTIALS}")
    })?;
    ServiceAccount::parse(&file.read()?).with_context(|| file.shown())
}

fn client(args: &Args, environment: Environment<'_>) -> Result<Client> {
    let proxy = args.proxy.as_ref().map(|text| text.0.as_str());
    fetch::client(args.ca.as_deref(), ProxyRule::new(proxy, environment)?)
}

/// A file of credentials, and what names it.
struct File {
    path: PathBuf,
    named_by: &'static str,
}

fn credential_file(args: &Args, environment: Environment<'_>) -> Option<File> {
    let by_flag = args.iap_credential.clone().map(|path| File { path, named_by: "--iap-credential" });
    let by_environment = || {
        let path = variable(environment, DEFAULT_CREDENTIALS)?.into();
        Some(File { path, named_by: DEFAULT_CREDENTIALS })
    };
    by_flag.or_else(by_environment)
}

/// Where `gcloud auth application-default login` leaves a user's credentials.
fn users_file(environment: Environment<'_>) -> Result<File> {
    let directory = variable(environment, "CLOUDSDK_CONFIG").map(PathBuf::from);
    let home = || Some(Path::new(&variable(environment, "HOME")?).join(".config/gcloud"));
    let directory = directory.or_else(home).context("--iap-impersonate: HOME is not set")?;
    let path = directory.join("application_default_credentials.json");
    Ok(File { path, named_by: "--iap-impersonate" })
}

fn variable(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name).filter(|value| !value.is_empty())
}

impl File {
    fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| self.shown())
    }

    fn shown(&self) -> String {
        format!("{} {}", self.named_by, self.path.display())
    }
}

fn of_file(
    file: &File,
    impersonate: Option<&str>,
    client: Client,
    environment: Environment<'_>,
) -> Result<Giver> {
    let json = file.read()?;
    let giver = match (kind(&json).as_deref(), impersonate) {
        (Some("authorized_user"), Some(account)) => {
            User::parse(&json, account, client, environment).map(Giver::User)
        }
        (Some("authorized_user"), None) => Err(anyhow::anyhow!(
            "a user's credentials give no identity token that an IAP takes; name a service account that the \
             user may impersonate with --iap-impersonate"
        )),
        (_, Some(_)) => bail!(
            "{}: --iap-impersonate is for a user's credentials (type authorized_user); leave it out",
            file.shown()
        ),
        (_, None) => ServiceAccount::parse(&json).map(|account| Giver::Account { account, client }),
    };
    giver.with_context(|| file.shown())
}

fn kind(json: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(json).ok()?;
    value.get("type")?.as_str().map(str::to_owned)
}
