//! From a request to its answer.

use std::time::{Instant, SystemTime};

use daemon::accept::Peer;
use http::StatusCode;
use http::header::{AUTHORIZATION, AsHeaderName, HeaderMap, HeaderName};
use http::request::Parts;

use crate::answer::{self, Answer};
use crate::decision_log::Asked;
use crate::gate::Gate;
use crate::{Lines, Question, decide};

static X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static X_DETECO_SCOPE: HeaderName = HeaderName::from_static("x-deteco-scope");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Answers the request with this head, which was complete at `begun`. Nothing here waits.
pub(crate) fn answer(gate: &Gate, head: Parts, peer: Peer, begun: Instant) -> Answer {
    match head.uri.path() {
        path if path == gate.config.auth_path.as_str() => auth(gate, head, peer, begun),
        // nginx takes every 2xx for a yes: `proxy_pass http://deteco/;` would let everybody in.
        _ if is_question(&head.headers) => {
            gate.metrics.elsewhere.inc();
            answer::plain(StatusCode::NOT_FOUND, "no questions here\n")
        }
        "/" | "/live" => answer::plain(StatusCode::OK, "OK\n"),
        "/ready" => match gate.ready() {
            Ok(()) => answer::plain(StatusCode::OK, "OK\n"),
            Err(why) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, why.text()),
        },
        _ => answer::plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// Whether a request has what nginx says when it asks, and nobody else does.
fn is_question(headers: &HeaderMap) -> bool {
    [&X_ORIGINAL_URI, &X_ORIGINAL_METHOD, &X_DETECO_SCOPE].iter().any(|name| headers.contains_key(*name))
}

fn auth(gate: &Gate, head: Parts, peer: Peer, begun: Instant) -> Answer {
    let (rules, now) = (gate.rules.load(), SystemTime::now());
    let question = question(&head.headers);
    let decision = decide(&question, &rules, now);
    let took = begun.elapsed();
    gate.metrics.decided(&decision, took);
    if let Some(set) = &decision.refetch {
        set.unknown_kid();
    }
    let real_ip = lines(&head.headers, &X_REAL_IP);
    gate.log.write(&decision, &Asked { question, real_ip, peer, took });
    let outcome = decision.outcome; // the rest of the decision goes: it holds on to the headers
    answer::decided(&outcome, &rules, now, (&head.method, head.headers))
}

fn question(headers: &HeaderMap) -> Question<'_> {
    Question {
        authorization: lines(headers, AUTHORIZATION),
        uri: lines(headers, &X_ORIGINAL_URI),
        method: lines(headers, &X_ORIGINAL_METHOD),
        scope: lines(headers, &X_DETECO_SCOPE),
    }
}

fn lines(headers: &HeaderMap, name: impl AsHeaderName) -> Lines<'_> {
    headers.get_all(name).iter().map(|line| line.as_bytes()).collect()
}
