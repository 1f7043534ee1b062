//! What nginx is told: a status and some headers, and never a body on the auth path.
//!
//! ```text
//! HTTP/1.1 200 OK                       HTTP/1.1 401 Unauthorized
//! x-accel-expires: 60                   cache-control: no-store
//! x-deteco-user: report_batch           www-authenticate: Bearer realm="deteco", error="invalid_token"
//! cache-control: no-store               content-length: 0
//! content-length: 0
//! ```
//!
//! nginx keeps a connection only after an answer whose `Content-Length` is 0, and obeys `X-Accel-Expires` only
//! if it comes before `Cache-Control` (nginx 1.22). hyper writes headers in the order in which their names
//! were inserted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use token::Refused;

use crate::{Identity, Reason, Ruleset, Status};

/// The answer to a request.
pub(crate) type Answer = Response<Full<Bytes>>;

static X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// RFC 6750 section 3: who sent no token is told nothing more.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"deteco\"");
const CHALLENGE_AGAIN: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"deteco\", error=\"invalid_token\"");

/// What was decided: whose request goes on, or why it does not.
pub(crate) type Outcome = Result<Arc<Identity>, Reason>;

/// The status of what was decided.
pub(crate) fn status(outcome: &Outcome) -> StatusCode {
    match outcome.as_ref().map_or_else(|reason| reason.status(), |_| Status::Allowed) {
        Status::Allowed => StatusCode::OK,
        Status::Unauthorized => StatusCode::UNAUTHORIZED,
        Status::Forbidden => StatusCode::FORBIDDEN,
    }
}

/// The answer to a request of `method` on the auth path. `headers` are those of the request, which nobody
/// needs any more: their memory is used again.
pub(crate) fn decided(
    outcome: &Outcome,
    rules: &Ruleset,
    now: SystemTime,
    (method, mut headers): (&Method, HeaderMap),
) -> Answer {
    headers.clear();
    match outcome {
        Ok(identity) => {
            if let Some(seconds) = cacheable(identity, rules, now) {
                headers.insert(&X_ACCEL_EXPIRES, seconds.into());
            }
            for (name, value) in &identity.headers {
                headers.append(name, value.clone());
            }
            headers.insert(header::CACHE_CONTROL, NO_STORE);
        }
        Err(reason) => {
            headers.insert(header::CACHE_CONTROL, NO_STORE);
            if reason.status() == Status::Unauthorized {
                headers.insert(header::WWW_AUTHENTICATE, challenge(*reason));
            }
        }
    }
    if method == Method::HEAD {
        // hyper writes it by itself for every other method.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status(outcome);
    *answer.headers_mut() = headers;
    answer
}

/// For how many seconds nginx may keep a 200: until the token or its key is no longer good, and no longer than
/// the configuration says. Without leeway, and never 0, which nginx takes for "not at all".
fn cacheable(identity: &Identity, rules: &Ruleset, now: SystemTime) -> Option<u64> {
    let most = rules.accel_expires?;
    let left = |end: SystemTime| end.duration_since(now).unwrap_or_default();
    let fresh = |freshness| identity.verified.issued.checked_add(freshness).map_or(Duration::MAX, left);
    let until_stale = rules.policy.freshness.map_or(Duration::MAX, fresh);
    let keys = identity.service.keys.keys().iter();
    let same = keys.filter(|key| key.public.fingerprint() == identity.verified.key_fingerprint);
    let ends = same.filter(|key| key.is_valid_at(now)).filter_map(|key| key.not_after);
    let until_inactive = ends.map(left).min().unwrap_or(Duration::MAX);
    let until_expired = left(identity.verified.expires);
    let seconds = most.min(until_expired).min(until_stale).min(until_inactive).as_secs();
    (seconds > 0).then_some(seconds)
}

fn challenge(reason: Reason) -> HeaderValue {
    match reason {
        Reason::Token(Refused::NoAuthorization | Refused::Scheme) => CHALLENGE,
        _ => CHALLENGE_AGAIN,
    }
}

/// An answer to a person or a monitor.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    answer
}

#[cfg(test)]
mod tests;
