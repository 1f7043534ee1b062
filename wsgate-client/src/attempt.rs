//! One attempt to open a tunnel, and whether another makes sense after it failed.

use std::time::Duration;

use http::HeaderMap;
use tunnel::header::BadHeader;

use crate::config::Config;
use crate::connect::ConnectError;
use crate::credential::CredentialError;
use crate::endpoint::Endpoint;
use crate::refusal::Refusal;
use crate::retry::{Again, Budget};
use crate::stream::Stream;
use crate::upgrade::{self, Granted, Wanted, upgrade};

/// Why an attempt did not open a tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// We cannot say who we are.
    #[error("no credential")]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the gateway did not answer within {0:?}")]
    Silent(Duration),
    #[error("the gateway gave no HTTP answer")]
    NoAnswer(#[source] hyper::Error),
    #[error("{0}")]
    Refused(Refusal),
    /// What is wrong with it.
    #[error("the gateway's 101 is no WebSocket upgrade: {0}")]
    NotWebSocket(&'static str),
    /// It is there, and is not what docs/protocol.md says.
    #[error("the gateway's 101 cannot be understood")]
    BadTunnel(#[source] BadHeader),
    /// A new tunnel, or none that we know.
    #[error("the 101 resumes no tunnel")]
    NotResumed,
}

impl AttemptError {
    /// All that [`AttemptError::word`] says, but for words of the gateway that we do not know.
    pub(crate) const WORDS: [&str; 16] = [
        "no-credential",
        "connect",
        "proxy",
        "tls",
        "silent",
        "no-websocket",
        "http",
        "origin",
        "draining",
        "credential",
        "identity-not-ready",
        "forbidden",
        "unknown-destination",
        "limit",
        "destination-refused",
        "destination-timeout",
    ];

    /// One word, for metrics: the gateway's own if it is the gateway that refuses.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Credential(_) => "no-credential",
            Self::Connect(error) => error.word(),
            Self::Silent(_) => "silent",
            Self::NoAnswer(_) | Self::NotWebSocket(_) | Self::BadTunnel(_) | Self::NotResumed => {
                "no-websocket"
            }
            Self::Refused(refusal) => refusal.word.as_deref().unwrap_or("http"),
        }
    }

    /// tunnel.md, "The upgrade": what stands in front of the gateway, and a gateway that is not up, may get
    /// better within seconds. What the gateway itself says about this tunnel does not.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Credential(error) => error.again(),
            Self::Connect(error) => error.again(),
            Self::Silent(_) => Again::Soon,
            Self::Refused(refusal) => refusal.again(),
            Self::NoAnswer(_) | Self::NotWebSocket(_) | Self::BadTunnel(_) | Self::NotResumed => Again::Never,
        }
    }
}

/// The way to a gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'w> {
    pub(crate) config: &'w Config,
    pub(crate) gateway: &'w Endpoint,
}

/// A connection on which nothing has been asked yet, and who we are.
pub(crate) struct Reached<'w> {
    way: Way<'w>,
    stream: Stream,
    credential: HeaderMap,
}

impl<'w> Way<'w> {
    /// Connects to the gateway and upgrades the connection.
    pub(crate) async fn attempt(self, budget: Budget, wanted: &Wanted) -> Result<Granted, AttemptError> {
        self.reach(budget).await?.ask(budget, wanted).await
    }

    /// Connects to the gateway, with a credential at hand.
    pub(crate) async fn reach(self, budget: Budget) -> Result<Reached<'w>, AttemptError> {
        let credential = self.config.credential.headers(&self.gateway.to_string(), budget).await?;
        let stream = self.config.connect(self.gateway, budget).await?;
        Ok(Reached { way: self, stream, credential })
    }

    /// As [`Way::reach`], with a credential that is newer than what was sent before.
    pub(crate) async fn reach_renewed(self, budget: Budget) -> Result<Reached<'w>, AttemptError> {
        self.config.credential.renewed(budget).await?;
        self.reach(budget).await
    }
}

impl Reached<'_> {
    /// Upgrades the connection.
    pub(crate) async fn ask(self, budget: Budget, wanted: &Wanted) -> Result<Granted, AttemptError> {
        let Way { config, gateway } = self.way;
        let asked = upgrade::Asked::new(gateway, self.credential, &config.headers, wanted);
        let result = upgrade(self.stream, asked, budget.at_most(upgrade::HANDSHAKE)).await;
        if let Err(AttemptError::Refused(refusal)) = &result
            && refusal.is_of_credential()
        {
            config.credential.refused();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, StatusCode};

    #[test]
    fn every_failure_has_a_word_of_the_list() {
        let refused = |word: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            word.map(|word| headers.insert("wsgate-refusal", HeaderValue::from_static(word)));
            AttemptError::Refused(Refusal::new(StatusCode::FORBIDDEN, &headers, b""))
        };
        let slow = Duration::ZERO;
        for (error, word) in [
            (ConnectError::Silent(slow).into(), "tls"),
            (ConnectError::NoTls.into(), "tls"),
            (ConnectError::SilentProxy(String::new(), slow).into(), "proxy"),
            (ConnectError::Dial(relay::DialError::TimedOut(slow)).into(), "connect"),
            (AttemptError::Silent(slow), "silent"),
            (AttemptError::NotWebSocket(""), "no-websocket"),
            (AttemptError::BadTunnel(BadHeader::Twice), "no-websocket"),
            (refused(None), "http"),
            (refused(Some("forbidden")), "forbidden"),
        ] {
            assert_eq!(error.word(), word);
            assert!(AttemptError::WORDS.contains(&error.word()), "{error}");
        }
        assert!(!AttemptError::WORDS.contains(&refused(Some("moon-phase")).word()), "that is `other`");
    }
}
