//! Who we are, to the gateway and to what stands in front of it.
//!
//! | configured | `Authorization` | `Proxy-Authorization` |
//! |---|---|---|
//! | a private key | the token it signs | |
//! | a service account | the identity token | |
//! | both | the token the key signs | the identity token |

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use token::SignError;

use crate::Args;
use crate::fetch::FetchError;
use crate::iap::Iap;
use crate::retry::{Again, Budget};
use crate::signer::Signer;
use crate::tls::Tls;

/// What the upgrade carries to say who we are.
#[derive(Debug, Default)]
pub struct Credential {
    signer: Option<Signer>,
    iap: Option<Iap>,
}

/// Why there is no token now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    /// The key did not sign.
    #[error("no token signed")]
    Sign(#[from] SignError),
    /// The time cannot be written in a token.
    #[error("this machine's clock is before 1970")]
    Clock,
    /// The token endpoint gave no token; its host, and why.
    #[error("no identity token from {0}")]
    Fetch(String, #[source] FetchError),
}

impl CredentialError {
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Sign(_) | Self::Clock => Again::Never,
            Self::Fetch(_, error) => error.again(),
        }
    }
}

impl Credential {
    pub(crate) fn from_args(args: &Args) -> Result<Self> {
        let signer = args.private_key.as_deref().map(|path| Signer::load(path, &args.private_key_user));
        let iap = args.iap_credential.as_deref().zip(args.iap_client_id.as_deref());
        let iap = iap.map(|(path, client_id)| Iap::load(path, client_id));
        Ok(Self { signer: signer.transpose()?, iap: iap.transpose()? })
    }

    /// Whether a token is fetched by https.
    pub(crate) fn wants_tls(&self) -> bool {
        self.iap.as_ref().is_some_and(Iap::wants_tls)
    }

    /// The headers that [`Credential::headers`] sets, each with the flag that makes it.
    pub(crate) fn sets(&self) -> Vec<(HeaderName, &'static str)> {
        let signer = self.signer.is_some().then_some((header::AUTHORIZATION, "--private-key"));
        let iap = self.iap.is_some().then(|| (self.iap_header(), "--iap-credential"));
        signer.into_iter().chain(iap).collect()
    }

    /// With a key too, that has the gateway's own header.
    fn iap_header(&self) -> HeaderName {
        match self.signer {
            Some(_) => header::PROXY_AUTHORIZATION,
            None => header::AUTHORIZATION,
        }
    }

    /// The headers to send now.
    ///
    /// # Errors
    /// If a token cannot be had.
    pub(crate) async fn headers(
        &self,
        tls: Option<&Tls>,
        budget: Budget,
    ) -> Result<HeaderMap, CredentialError> {
        let mut headers = HeaderMap::new();
        if let Some(iap) = &self.iap {
            headers.insert(self.iap_header(), iap.bearer(tls, budget).await?);
        }
        if let Some(signer) = &self.signer {
            headers.insert(header::AUTHORIZATION, signer.bearer(SystemTime::now())?);
        }
        Ok(headers)
    }
}

/// `Bearer TOKEN`, marked as sensitive, so that no debug output shows it; none if the token has a character
/// that no header may have.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A NumericDate (RFC 7519 section 2).
pub(crate) fn seconds(time: SystemTime) -> Result<u64, CredentialError> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| CredentialError::Clock)?;
    Ok(since.as_secs())
}
