//! A form sent to a token endpoint (RFC 6749 section 4.5), and its JSON answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::timeout;

use crate::connect::{ConnectError, alongside, connect};
use crate::endpoint::Endpoint;
use crate::retry::{Again, Budget};
use crate::tls::Tls;

/// The longest that the answer is waited for, its body included.
const ANSWER: Duration = Duration::from_secs(20);
/// The longest answer, in bytes; one with a token is about 1 KiB.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How much of an error's body is shown, in bytes.
const LONGEST_ERROR: usize = 1024;

/// Why an endpoint gave no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It said nothing in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// What it said is no HTTP.
    #[error("no HTTP answer")]
    NoAnswer(#[source] hyper::Error),
    /// The body was too long, or broke off.
    #[error("the answer is cut off, or longer than 64 KiB")]
    Body,
    /// It refused; the status and what it said.
    #[error("it answered {0}: {1}")]
    Refused(StatusCode, String),
    /// Its answer has no token that can be used; why.
    #[error("its answer is of no use: {0}")]
    Useless(&'static str),
}

impl FetchError {
    /// A refusal stays one, except where the endpoint or the way to it has trouble.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Connect(_) | Self::Silent(_) | Self::NoAnswer(_) | Self::Body => Again::Soon,
            Self::Refused(status, _) if status.is_server_error() => Again::Soon,
            Self::Refused(StatusCode::TOO_MANY_REQUESTS, _) => Again::Soon,
            Self::Refused(..) | Self::Useless(_) => Again::Never,
        }
    }
}

/// Posts `form`, which is encoded already, and gives the body of a 200.
pub(crate) async fn post(
    endpoint: &Endpoint,
    form: String,
    tls: Option<&Tls>,
    budget: Budget,
) -> Result<Bytes, FetchError> {
    let stream = connect(endpoint, tls, budget).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(FetchError::NoAnswer)?;
    let exchange = async {
        let answer = sender.send_request(request(endpoint, form)).await.map_err(FetchError::NoAnswer)?;
        body_of(answer).await
    };
    let limit = budget.at_most(ANSWER);
    timeout(limit, alongside(exchange, connection)).await.map_err(|_| FetchError::Silent(limit))?
}

fn request(endpoint: &Endpoint, form: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(form));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.path_and_query.clone().into();
    let headers = request.headers_mut();
    headers.insert(header::HOST, endpoint.host());
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request
}

async fn body_of(answer: Response<Incoming>) -> Result<Bytes, FetchError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
    let body = body.map(|collected| collected.to_bytes());
    match status {
        StatusCode::OK => body.map_err(|_| FetchError::Body),
        _ => Err(FetchError::Refused(status, said(&body.unwrap_or_default()))),
    }
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What an error's body says, on one line and without anything that looks like a token: an endpoint may
/// repeat what it was sent.
fn said(body: &[u8]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(Refused { error, error_description }) => format!("{error} {error_description}"),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(LONGEST_ERROR)]).into_owned(),
    };
    let words = text.split_whitespace().map(without_token).collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().filter(|c| !c.is_control()).take(LONGEST_ERROR).collect();
    if shown.is_empty() { "(nothing)".into() } else { shown }
}

/// `eyJ` is the base64 of `{"`, with which every JWT begins.
fn without_token(word: &str) -> &str {
    if word.contains("eyJ") { "[token]" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_on_a_line_without_tokens() {
        for (body, shown) in [
            (
                &br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#[..],
                "invalid_grant Invalid JWT Signature.",
            ),
            (b"{\n \"error\": \"invalid_client\"\n}", "invalid_client"),
            (b"<html>\r\n\x1b[31mno\n", "<html> [31mno"),
            (b"bad assertion=eyJhbGciOi.eyJpc3Mi.c2ln here", "bad [token] here"),
            (b"", "(nothing)"),
        ] {
            assert_eq!(said(body), shown);
        }
        assert_eq!(said(&[b'x'; 5000]).len(), LONGEST_ERROR);
    }

    #[test]
    fn trouble_passes_and_refusals_do_not() {
        let refused = |status| FetchError::Refused(StatusCode::from_u16(status).unwrap(), String::new());
        for (error, again) in [
            (FetchError::Silent(ANSWER), Again::Soon),
            (FetchError::Body, Again::Soon),
            (refused(500), Again::Soon),
            (refused(429), Again::Soon),
            (refused(400), Again::Never),
            (refused(302), Again::Never),
            (FetchError::Useless("test"), Again::Never),
        ] {
            assert_eq!(error.again(), again, "{error}");
        }
    }
}
