//! Why a request is refused, and with which status.

use token::Refused;

/// The three answers of the auth endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 200: the request may go on.
    Allowed,
    /// 401: the bearer is not known.
    Unauthorized,
    /// 403: the bearer is known, and may not see this.
    Forbidden,
}

/// The one reason for which a request is refused. Neither text nor code contain anything that the caller sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// The token is not taken
    #[error("{0}")]
    Token(#[from] Refused),
    /// `sub` is no service's id
    #[error("the token's `sub` names no service")]
    NoService,
    /// On the deny list
    #[error("the token is on the deny list")]
    Denied,
    /// No `X-Original-URI`, and the service's paths ask for it
    #[error("there is no X-Original-URI header")]
    NoUri,
    /// More than one `X-Original-URI`
    #[error("there is more than one X-Original-URI header")]
    SeveralUris,
    /// `X-Original-URI` is longer than 8,192 bytes
    #[error("the URI is longer than 8192 bytes")]
    UriTooLong,
    /// No path can be read from the URI
    #[error("the URI has no path that can be decided on")]
    UriMalformed,
    /// Its path is not spelt in the one canonical way
    #[error("the path of the URI is not canonical")]
    UriNotCanonical,
    /// No rule of the service has the path
    #[error("no path of the service covers it")]
    Path,
    /// A rule has the path, with other methods
    #[error("the service may not use this method there")]
    Method,
    /// No `X-Original-Method`, and the rule asks for it
    #[error("there is no X-Original-Method header")]
    NoMethod,
    /// More than one `X-Original-Method`
    #[error("there is more than one X-Original-Method header")]
    SeveralMethods,
    /// The service has scopes, and the location declares none
    #[error("the service has scopes, and there is no X-Deteco-Scope header")]
    NoScope,
    /// More than one `X-Deteco-Scope`
    #[error("there is more than one X-Deteco-Scope header")]
    SeveralScopes,
    /// The location declares a scope that the service does not have
    #[error("the service does not have the scope of the location")]
    Scope,
}

impl Reason {
    /// Whether the bearer is unknown (401) or may not see this (403).
    pub fn status(self) -> Status {
        match self {
            Reason::Token(_) | Reason::NoService | Reason::Denied => Status::Unauthorized,
            _ => Status::Forbidden,
        }
    }

    /// A short stable word for logs and metrics; the set of them is closed.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Token(refused) => refused.code(),
            Reason::NoService => "no_service",
            Reason::Denied => "denied",
            Reason::NoUri => "no_uri",
            Reason::SeveralUris => "several_uris",
            Reason::UriTooLong => "uri_too_long",
            Reason::UriMalformed => "uri_malformed",
            Reason::UriNotCanonical => "uri_not_canonical",
            Reason::Path => "path",
            Reason::Method => "method",
            Reason::NoMethod => "no_method",
            Reason::SeveralMethods => "several_methods",
            Reason::NoScope => "no_scope",
            Reason::SeveralScopes => "several_scopes",
            Reason::Scope => "scope",
        }
    }
}
