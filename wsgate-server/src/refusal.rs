//! Every way in which a request is refused, and the HTTP answer that each makes.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use token::Refused;
use tunnel::header::{BadHeader, Header, TUNNEL};
use tunnel::session_id::Instance;

use crate::held::End;
use crate::identity::Denied;
use crate::limits::Of;
use crate::rules::Forbidden;

/// Tells our client that it is the gateway that refuses, and why; other parts of the way answer without it.
pub(crate) const WORD: HeaderName = HeaderName::from_static("wsgate-refusal");

/// Why a request goes no further. What a caller is told is a closed set of short texts; the reason goes
/// to our log.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A plain request where only an upgrade makes sense.
    UpgradeRequired,
    /// Not the upgrade of RFC 6455 section 4.2.1; what is wrong with it.
    BadRequest(&'static str),
    /// A `Wsgate-Tunnel` that cannot be taken.
    TunnelHeader(BadHeader),
    /// A web page that is not on the list.
    Origin,
    /// We are stopping.
    Draining,
    /// No token, or one that is not taken.
    Credential(Denied),
    /// The keys of the Identity-Aware Proxy have not been fetched yet.
    IdentityNotReady,
    /// Protected mode: an anonymous caller from a public address.
    Protected,
    /// The caller may connect, but there is no such destination.
    UnknownDestination,
    /// The caller is known, and may not reach the destination.
    Forbidden { name: String, reason: Forbidden },
    /// A resume of a session that is somebody else's, or leads elsewhere.
    Foreign,
    /// A resume that is older than one that was taken.
    Stale,
    /// A resume of a session that is over, or not known to this process.
    Over {
        /// How it ended; `None`: there is none that we know.
        end: Option<End>,
        /// By this a client knows whether it has reached the process that had it.
        instance: Instance,
    },
    /// A session is resumed too often.
    TooOften,
    /// All connections are taken.
    Limit,
    /// The caller has as many as one may have.
    UserLimit,
    /// The destination has as many as it may have.
    DestinationLimit { name: String },
    /// The destination could not be reached.
    DestinationRefused { name: String },
    /// The destination did not answer in time.
    DestinationTimeout { name: String },
}

impl From<Of> for Refusal {
    fn from(full: Of) -> Self {
        match full {
            Of::Destination(name) => Self::DestinationLimit { name },
            Of::User(_) | Of::Both { .. } => Self::UserLimit,
        }
    }
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::BadRequest(_) | Self::TunnelHeader(_) => StatusCode::BAD_REQUEST,
            Self::Origin | Self::Protected | Self::Forbidden { .. } | Self::Foreign => StatusCode::FORBIDDEN,
            Self::Stale => StatusCode::CONFLICT,
            Self::Over { .. } => StatusCode::GONE,
            Self::Draining | Self::IdentityNotReady | Self::Limit => StatusCode::SERVICE_UNAVAILABLE,
            Self::UserLimit | Self::DestinationLimit { .. } | Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Credential(_) => StatusCode::UNAUTHORIZED,
            Self::UnknownDestination => StatusCode::NOT_FOUND,
            Self::DestinationRefused { .. } => StatusCode::BAD_GATEWAY,
            Self::DestinationTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// All that [`Refusal::word`] says.
    pub(crate) const WORDS: [&str; 15] = [
        "upgrade-required",
        "bad-request",
        "origin",
        "draining",
        "credential",
        "identity-not-ready",
        "forbidden",
        "unknown-destination",
        "stale",
        "finished",
        "reset",
        "gone",
        "limit",
        "destination-refused",
        "destination-timeout",
    ];

    /// The word in `Wsgate-Refusal`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::UpgradeRequired => "upgrade-required",
            Self::BadRequest(_) | Self::TunnelHeader(_) => "bad-request",
            Self::Origin => "origin",
            Self::Draining => "draining",
            Self::Credential(_) => "credential",
            Self::IdentityNotReady => "identity-not-ready",
            Self::Protected | Self::Forbidden { .. } | Self::Foreign => "forbidden",
            Self::Stale => "stale",
            Self::Over { end, .. } => end.unwrap_or(End::Gone).word(),
            Self::UnknownDestination => "unknown-destination",
            Self::Limit | Self::UserLimit | Self::DestinationLimit { .. } | Self::TooOften => "limit",
            Self::DestinationRefused { .. } => "destination-refused",
            Self::DestinationTimeout { .. } => "destination-timeout",
        }
    }

    /// What the caller is told.
    fn text(&self) -> String {
        match self {
            Self::UpgradeRequired => "this is a WebSocket endpoint; connect with wsgate-client".into(),
            Self::BadRequest(what) => format!("not a WebSocket upgrade: {what}"),
            Self::TunnelHeader(bad) => bad.to_string(),
            Self::Origin => "web pages of this origin may not connect (see --allowed-origin)".into(),
            Self::Draining => "the gateway is stopping; try again".into(),
            Self::Credential(Denied::Token(Refused::NoAuthorization)) => "a token is required".into(),
            Self::Credential(Denied::NoAssertion) => "connect through the Identity-Aware Proxy".into(),
            Self::Credential(_) => "token refused".into(),
            Self::IdentityNotReady => "callers cannot be verified yet; try again".into(),
            Self::Protected => {
                "anonymous callers are taken from private networks only (see --allow-anonymous)".into()
            }
            Self::UnknownDestination => "no such destination".into(),
            Self::Forbidden { name, .. } => format!("not allowed to reach {name}"),
            Self::Foreign => "not allowed to resume this session".into(),
            Self::Stale => "a later attempt has resumed this session".into(),
            Self::Over { end: Some(End::Finished), .. } => "this session is finished".into(),
            Self::Over { end: Some(End::Reset), .. } => "this session was reset".into(),
            Self::Over { .. } => "no such session".into(),
            Self::TooOften => "this session is resumed too often; try again".into(),
            Self::Limit => "too many connections; try again".into(),
            Self::UserLimit => "too many connections of this user; try again".into(),
            Self::DestinationLimit { name } => format!("too many connections to {name}; try again"),
            Self::DestinationRefused { name } => format!("{name} could not be reached"),
            Self::DestinationTimeout { name } => format!("{name} did not answer in time"),
        }
    }

    /// What the log says beside the word.
    pub(crate) fn reason(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::BadRequest(what) => what,
            Self::TunnelHeader(bad) => return bad.to_string().into(),
            Self::Foreign => "the session is somebody else's, or leads elsewhere",
            Self::Stale => "a later attempt was accepted",
            Self::Over { end: None, .. } => "this process knows no such session",
            Self::Over { .. } => "the session is over",
            Self::TooOften => "the session is resumed too often",
            Self::Credential(denied) => return denied.code().into(),
            Self::Protected => "anonymous, and the address is public",
            Self::Forbidden { reason, .. } => reason.0,
            Self::IdentityNotReady => "the keys of the Identity-Aware Proxy have not been fetched",
            Self::UserLimit => "the user has as many as one may have",
            Self::DestinationLimit { .. } => "the destination has as many as it may have",
            _ => "",
        })
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.text() + "\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(WORD, HeaderValue::from_static(self.word()));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::UpgradeRequired => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            Self::BadRequest(_) => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, tunnel::handshake::VERSION);
            }
            Self::Credential(denied) => {
                headers.insert(header::WWW_AUTHENTICATE, challenge(*denied));
            }
            Self::Over { instance, .. } => {
                let header = Header { instance: Some(*instance), ..Header::default() };
                headers.insert(TUNNEL, header.to_value());
            }
            Self::Draining
            | Self::IdentityNotReady
            | Self::Limit
            | Self::UserLimit
            | Self::DestinationLimit { .. }
            | Self::TooOften => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// RFC 6750 section 3: a caller that sent no token is told nothing more.
fn challenge(denied: Denied) -> HeaderValue {
    HeaderValue::from_static(match denied {
        Denied::Token(Refused::NoAuthorization) | Denied::NoAssertion => "Bearer realm=\"wsgate\"",
        _ => "Bearer realm=\"wsgate\", error=\"invalid_token\"",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_word_of_the_list() {
        let name = || "db".to_owned();
        let over = |end| Refusal::Over { end: Some(end), instance: Instance(7) };
        let words = [
            Refusal::UpgradeRequired,
            Refusal::BadRequest(""),
            Refusal::Origin,
            Refusal::Draining,
            Refusal::Credential(Denied::NoAssertion),
            Refusal::IdentityNotReady,
            Refusal::Forbidden { name: name(), reason: Forbidden("") },
            Refusal::UnknownDestination,
            Refusal::Stale,
            over(End::Finished),
            over(End::Reset),
            over(End::Gone),
            Refusal::UserLimit,
            Refusal::DestinationRefused { name: name() },
            Refusal::DestinationTimeout { name: name() },
        ];
        assert_eq!(words.each_ref().map(Refusal::word), Refusal::WORDS);
        let limits = [Refusal::Limit, Refusal::DestinationLimit { name: name() }, Refusal::TooOften];
        let others = [Refusal::Protected, Refusal::Foreign, Refusal::TunnelHeader(BadHeader::Twice)];
        for other in limits.into_iter().chain(others) {
            assert!(Refusal::WORDS.contains(&other.word()), "{other:?}");
        }
    }

    #[test]
    fn who_asks_for_a_session_that_is_over_learns_which_process_says_so() {
        for (end, word) in [(End::Finished, "finished"), (End::Reset, "reset"), (End::Gone, "gone")] {
            let response = Refusal::Over { end: Some(end), instance: Instance(0xc0_ffee) }.response();
            assert_eq!(
                (response.status(), &response.headers()[WORD]),
                (StatusCode::GONE, &word.parse().unwrap())
            );
            assert_eq!(response.headers()[TUNNEL], "2; instance=00c0ffee");
        }
    }
}
