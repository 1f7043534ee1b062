//! Why there is no token, whoever was to give it.

use std::time::Duration;

use token::SignError;

use crate::fetch::AskError;
use crate::retry::Again;
use crate::token_command::CommandError;
use crate::token_file::FileError;

/// Why a source gives no token now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The key did not sign.
    #[error("no token signed")]
    Sign(#[from] SignError),
    /// The time cannot be written in a token.
    #[error("this machine's clock is before 1970")]
    Clock,
    /// Somebody gave no token.
    #[error("no {what} from {from}")]
    Asked {
        /// Which token
        what: &'static str,
        /// Host and port
        from: String,
        /// Why
        #[source]
        error: AskError,
    },
    /// There is no metadata server.
    #[error(
        "no identity token: no metadata server here, and neither --iap-credential nor \
             GOOGLE_APPLICATION_CREDENTIALS names a key file; a user's credentials need --iap-impersonate"
    )]
    NoMetadata(#[source] AskError),
    #[error("--token-command")]
    Command(#[from] CommandError),
    #[error("--token-file {0}")]
    File(String, #[source] FileError),
    /// Nothing came in time.
    #[error("no token within {0:?}")]
    Slow(Duration),
}

impl SourceError {
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Sign(_) | Self::Clock => Again::Never,
            Self::Asked { error, .. } => error.again(),
            Self::NoMetadata(_) | Self::Command(_) | Self::File(..) | Self::Slow(_) => Again::Soon,
        }
    }
}
