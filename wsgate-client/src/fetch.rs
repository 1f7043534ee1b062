//! Asking those who give tokens: a request, its answer, and what a refusal says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::StatusCode;
use https::fetch::{Client, FetchError, Limits, PlainHttp, Request};
use https::proxy::ProxyRule;
use https::{ClientFiles, ClientTls};
use serde_json::Value;

use crate::held::BadToken;
use crate::retry::Again;

/// The longest that an answer is waited for, its body included.
const ANSWER: Duration = Duration::from_secs(20);
/// The longest answer, in bytes; one with a token is about 1 KiB.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How much of an error's body is shown, in characters.
const LONGEST_ERROR: usize = 1024;

/// Why nobody gave a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Fetch(FetchError),
    /// It refused; the status and what it said.
    #[error("it answered {0}: {1}")]
    Refused(StatusCode, String),
    /// Its answer has no token.
    #[error("its answer is of no use: {0}")]
    Useless(&'static str),
    /// Its answer has a token that cannot be used.
    #[error("its answer is of no use: the token {0}")]
    Token(#[from] BadToken),
}

impl AskError {
    /// A refusal stays one, except where the endpoint or the way to it has trouble.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Fetch(FetchError::Plain(_) | FetchError::Name(_) | FetchError::Redirect { .. }) => {
                Again::Never
            }
            Self::Fetch(_) => Again::Soon,
            Self::Refused(status, _) if status.is_server_error() => Again::Soon,
            Self::Refused(StatusCode::TOO_MANY_REQUESTS, _) => Again::Soon,
            Self::Refused(..) | Self::Useless(_) | Self::Token(_) => Again::Never,
        }
    }
}

/// Who fetches tokens: `--ca` says whom it trusts, as for the gateway.
pub(crate) fn client(ca: Option<&Path>, proxies: ProxyRule) -> Result<Client> {
    let tls = ClientTls::load(ClientFiles { ca: ca.map(Path::to_owned), identity: None })?;
    let limits = Limits { timeout: ANSWER, max_body: LONGEST_ANSWER, plain: PlainHttp::Loopback };
    Ok(Client { tls: Arc::new(tls), proxies, limits })
}

/// The body of the answer.
pub(crate) async fn ask(client: &Client, request: &Request) -> Result<Bytes, AskError> {
    match client.send(request).await {
        Ok(answer) => Ok(answer.body),
        Err(FetchError::Status { status, excerpt }) => Err(AskError::Refused(status, said(&excerpt))),
        Err(error) => Err(AskError::Fetch(error)),
    }
}

/// The text `name` of a JSON answer.
pub(crate) fn text_of(answer: &[u8], name: &str) -> Option<String> {
    match serde_json::from_slice::<Value>(answer).ok()?.get_mut(name)?.take() {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// What an error's body says, without anything that looks like a token: an endpoint may repeat what it was
/// sent. OAuth's form is `{"error": "…", "error_description": "…"}` (RFC 6749 section 5.2), that of Google's
/// other services `{"error": {"message": "…"}}`.
fn said(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let text = match (&json["error"], &json["error_description"], &json["error"]["message"]) {
        (Value::String(error), Value::String(description), _) => format!("{error} {description}"),
        (Value::String(error), ..) => error.clone(),
        (_, _, Value::String(message)) => message.clone(),
        _ => body.to_owned(),
    };
    shown(&text, LONGEST_ERROR)
}

/// A text of somebody else's on one line, at most `longest` characters, without what looks like a token.
pub(crate) fn shown(text: &str, longest: usize) -> String {
    let words = text.split_whitespace().map(without_token).collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().filter(|c| !c.is_control()).take(longest).collect();
    if shown.is_empty() { "(nothing)".into() } else { shown }
}

/// `eyJ` is the base64 of `{"`, with which every JWT begins; `ya29.` begins an access token of Google.
pub(crate) fn without_token(word: &str) -> &str {
    if word.contains("eyJ") || word.contains("ya29.") { "[token]" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_on_a_line_without_tokens() {
        for (body, shown) in [
            (
                r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
                "invalid_grant Invalid JWT Signature.",
            ),
            ("{\n \"error\": \"invalid_client\"\n}", "invalid_client"),
            (r#"{"error":{"code":403,"message":"Permission denied"}}"#, "Permission denied"),
            ("<html>\r\n\x1b[31mno\n", "<html> [31mno"),
            ("bad assertion=eyJhbGciOi.eyJpc3Mi.c2ln here", "bad [token] here"),
            ("bad ya29.c.b0 here", "bad [token] here"),
            ("", "(nothing)"),
        ] {
            assert_eq!(said(body), shown);
        }
        assert_eq!(said(&"x".repeat(5000)).len(), LONGEST_ERROR);
    }

    #[test]
    fn trouble_passes_and_refusals_do_not() {
        let refused = |status| AskError::Refused(StatusCode::from_u16(status).unwrap(), String::new());
        let host = || "gw".parse().unwrap();
        for (error, again) in [
            (AskError::Fetch(FetchError::TimedOut(ANSWER)), Again::Soon),
            (AskError::Fetch(FetchError::Plain(host())), Again::Never),
            (refused(500), Again::Soon),
            (refused(429), Again::Soon),
            (refused(400), Again::Never),
            (AskError::Useless("test"), Again::Never),
            (AskError::Token(BadToken::NoExpiry), Again::Never),
        ] {
            assert_eq!(error.again(), again, "{error}");
        }
    }
}
