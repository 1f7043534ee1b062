//! Who we are, to the gateway and to what stands in front of it.
//!
//! | configured | `Authorization` | `Proxy-Authorization` |
//! |---|---|---|
//! | a private key, a token command or a token file | its token | |
//! | the IAP | the IAP's token | |
//! | both | the token of the former | the IAP's token |

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use token::PrivateKey;

use crate::Args;
use crate::iap::{self, Environment, Iap};
use crate::keeper::{Clock, Keeper};
use crate::retry::{Again, Budget};
use crate::self_signed::SelfSigned;
use crate::signer::Signer;
use crate::source::SourceError;
use crate::token_command::TokenCommand;
use crate::token_file::TokenFile;

/// What the upgrade carries to say who we are.
#[derive(Debug)]
pub struct Credential {
    own: Option<Own>,
    front: Option<Front>,
    clock: Clock,
}

/// For the gateway.
#[derive(Debug)]
enum Own {
    Key(Signer),
    Command(Keeper<TokenCommand>),
    File(TokenFile),
}

/// For the IAP in front of it.
#[derive(Debug)]
enum Front {
    Identity(Keeper<Iap>),
    SelfSigned(Box<SelfSigned>),
}

/// Why there is no token now; it is shared with others who wait for the same.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct CredentialError(Arc<SourceError>);

impl CredentialError {
    pub(crate) fn again(&self) -> Again {
        self.0.again()
    }
}

impl From<SourceError> for CredentialError {
    fn from(error: SourceError) -> Self {
        Self(Arc::new(error))
    }
}

impl From<Arc<SourceError>> for CredentialError {
    fn from(error: Arc<SourceError>) -> Self {
        Self(error)
    }
}

impl Credential {
    pub(crate) fn from_args(args: &Args, environment: Environment<'_>) -> Result<Self> {
        let clock: Clock = SystemTime::now;
        let own = Own::from_args(args, clock)?;
        let front = Front::from_args(args, environment, clock)?;
        Ok(Self { own, front, clock })
    }

    /// The headers that [`Credential::headers`] sets, each with the flag that makes it.
    pub(crate) fn sets(&self) -> Vec<(HeaderName, &'static str)> {
        let own = self.own.as_ref().map(|own| (header::AUTHORIZATION, own.flag()));
        let front = self.front.as_ref().map(|front| (self.front_header(), front.flag()));
        own.into_iter().chain(front).collect()
    }

    /// Beside a token for the gateway, that has the gateway's own header.
    fn front_header(&self) -> HeaderName {
        match self.own {
            Some(_) => header::PROXY_AUTHORIZATION,
            None => header::AUTHORIZATION,
        }
    }

    /// The headers to send to `resource`, the URL of a gateway without its query.
    ///
    /// # Errors
    /// If a token cannot be had.
    pub(crate) async fn headers(&self, resource: &str, budget: Budget) -> Result<HeaderMap, CredentialError> {
        let mut headers = HeaderMap::new();
        if let Some(front) = &self.front {
            let bearer = match front {
                Front::Identity(keeper) => keeper.bearer(budget).await?,
                Front::SelfSigned(signs) => signs.bearer(resource, (self.clock)())?,
            };
            headers.insert(self.front_header(), bearer);
        }
        if let Some(own) = &self.own {
            let bearer = match own {
                Own::Key(signer) => signer.bearer((self.clock)())?,
                Own::Command(keeper) => keeper.bearer(budget).await?,
                Own::File(file) => file.bearer()?,
            };
            headers.insert(header::AUTHORIZATION, bearer);
        }
        Ok(headers)
    }

    /// Waits for the first tokens of those who must be asked.
    ///
    /// # Errors
    /// What they said, or why they could not be asked.
    pub(crate) async fn first_token(&self, budget: Budget) -> Result<(), CredentialError> {
        if let Some(Front::Identity(keeper)) = &self.front {
            keeper.bearer(budget).await?;
        }
        if let Some(Own::Command(keeper)) = &self.own {
            keeper.bearer(budget).await?;
        }
        Ok(())
    }

    /// Reads the private key's file again, if there is one; for [`Credential::sign_with`].
    ///
    /// # Errors
    /// If it has no key.
    pub(crate) fn read(&self) -> Result<Option<PrivateKey>> {
        match &self.own {
            Some(Own::Key(signer)) => signer.read().map(Some),
            _ => Ok(None),
        }
    }

    /// Signs with `key` from now on.
    pub(crate) fn sign_with(&self, key: PrivateKey) {
        if let Some(Own::Key(signer)) = &self.own {
            signer.sign_with(key);
        }
    }

    /// Whether the last attempt to get a token from somebody failed.
    pub(crate) fn is_failing(&self) -> bool {
        let own = matches!(&self.own, Some(Own::Command(keeper)) if keeper.is_failing());
        own || matches!(&self.front, Some(Front::Identity(keeper)) if keeper.is_failing())
    }

    /// As [`Credential::refused`], and waits until there is something newer if there can be.
    ///
    /// # Errors
    /// If whoever makes the tokens gives none.
    pub(crate) async fn renewed(&self, budget: Budget) -> Result<(), CredentialError> {
        self.refused();
        if let Some(Front::Identity(keeper)) = &self.front {
            keeper.renewed(budget).await?;
        }
        if let Some(Own::Command(keeper)) = &self.own {
            keeper.renewed(budget).await?;
        }
        Ok(())
    }

    /// The gateway refuses what we sent: the next connection shall have something newer if there is.
    pub(crate) fn refused(&self) {
        match &self.front {
            Some(Front::Identity(keeper)) => keeper.refused(),
            Some(Front::SelfSigned(signs)) => signs.refused(),
            None => {}
        }
        match &self.own {
            Some(Own::Command(keeper)) => keeper.refused(),
            Some(Own::File(file)) => file.refused(),
            Some(Own::Key(_)) | None => {} // signed within the last minute
        }
    }
}

impl Own {
    fn from_args(args: &Args, clock: Clock) -> Result<Option<Self>> {
        if let Some(path) = &args.private_key {
            return Ok(Some(Self::Key(Signer::load(path, &args.private_key_user)?)));
        }
        if let Some(path) = &args.token_file {
            return Ok(Some(Self::File(TokenFile::load(path)?)));
        }
        let command = args.token_command.as_ref().map(|command| TokenCommand::new(&command.0));
        Ok(command.map(|command| Self::Command(Keeper::new(command, clock))))
    }

    fn flag(&self) -> &'static str {
        match self {
            Self::Key(_) => "--private-key",
            Self::Command(_) => "--token-command",
            Self::File(_) => "--token-file",
        }
    }
}

impl Front {
    fn from_args(args: &Args, environment: Environment<'_>, clock: Clock) -> Result<Option<Self>> {
        if args.iap_self_signed {
            let account = iap::account(args, environment)?;
            return Ok(Some(Self::SelfSigned(Box::new(SelfSigned::new(account)))));
        }
        let Some(client_id) = &args.iap_client_id else { return Ok(None) };
        let iap = iap::choose(args, client_id, environment)?;
        Ok(Some(Self::Identity(Keeper::new(iap, clock))))
    }

    fn flag(&self) -> &'static str {
        match self {
            Self::Identity(_) => "--iap-client-id",
            Self::SelfSigned(_) => "--iap-self-signed",
        }
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
pub(crate) fn seconds(time: SystemTime) -> Result<u64, SourceError> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| SourceError::Clock)?;
    Ok(since.as_secs())
}
