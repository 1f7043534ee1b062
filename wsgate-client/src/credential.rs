//! Who we are, to the gateway.

use std::time::SystemTime;

use anyhow::{Result, anyhow};
use http::header::{self, HeaderMap, HeaderValue};

use crate::Args;
use crate::signer::Signer;

/// What the upgrade carries to say who we are.
#[derive(Debug, Default)]
pub struct Credential {
    signer: Option<Signer>,
}

impl Credential {
    pub(crate) fn from_args(args: &Args) -> Result<Self> {
        let signer = args.private_key.as_deref().map(|path| Signer::load(path, &args.private_key_user));
        Ok(Self { signer: signer.transpose()? })
    }

    /// Whether there is one.
    pub(crate) fn is_some(&self) -> bool {
        self.signer.is_some()
    }

    /// The headers to send now.
    ///
    /// # Errors
    /// If no token can be had.
    pub(crate) async fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if let Some(signer) = &self.signer {
            headers.insert(header::AUTHORIZATION, signer.bearer(SystemTime::now())?);
        }
        Ok(headers)
    }
}

/// `Bearer TOKEN`, marked as sensitive, so that no debug output shows it.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| anyhow!("the token has a character that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}
