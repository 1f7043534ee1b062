//! What is answered at which path.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::host::Hosts;
use super::page::{self, PAGE};
use super::{Question, Status};
use crate::exposition::Exposition;
use crate::registry::Set;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// An answer before it is one of HTTP.
struct Answer {
    code: StatusCode,
    kind: &'static str,
    body: Bytes,
}

/// The answer to a request; that to HEAD loses its body in hyper.
pub(super) fn answer<B>(request: &Request<B>, status: &Status, hosts: &Hosts) -> Response<Full<Bytes>> {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let answer = match request.method() {
        _ if !hosts.have(host) => Answer::text(
            StatusCode::MISDIRECTED_REQUEST,
            "ask for an IP address, localhost or the name listened on\n",
        ),
        &Method::GET | &Method::HEAD => found(request, status),
        _ => Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
    };
    answer.response()
}

fn found<B>(request: &Request<B>, status: &Status) -> Answer {
    let query = Query(request.uri().query().unwrap_or_default());
    match request.uri().path() {
        "/live" => Answer::text(StatusCode::OK, "ok\n"),
        "/ready" => match status.unready() {
            None => Answer::text(StatusCode::OK, "ready\n"),
            Some(why) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
        },
        "/metrics" => {
            let form = Exposition::accepted(&accept(request.headers()));
            Answer::good(form.content_type(), status.registry.expose(form))
        }
        "/mackerel" => mackerel(&query, status),
        "/status" if query.is_set("brief") => Answer::good(JSON, status.brief().to_string()),
        "/status" => {
            let document = status.document(Question { sessions: query.is_set("sessions") });
            Answer::good(JSON, document.to_string())
        }
        "/" => Answer::good("text/html; charset=utf-8", PAGE),
        _ => Answer::text(
            StatusCode::NOT_FOUND,
            "there are /, /live, /ready, /metrics, /mackerel and /status\n",
        ),
    }
}

fn mackerel(query: &Query<'_>, status: &Status) -> Answer {
    let set = if query.is_set("all") { Set::All } else { Set::Default };
    let instance = query.value("instance").filter(|name| !name.is_empty());
    match query.is_set("meta") {
        true => Answer::good(JSON, status.registry.graphs(instance, set).to_string()),
        false => Answer::good(TEXT, status.registry.mackerel(instance, set)),
    }
}

fn accept(headers: &HeaderMap) -> String {
    let all = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    all.collect::<Vec<_>>().join(",")
}

/// What follows the question mark. Nothing is decoded: a value we know has nothing to encode.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        let value = |pair: &'a str| match pair.split_once('=') {
            Some((key, value)) => (key == name).then_some(value),
            None => (pair == name).then_some(""),
        };
        self.0.split('&').find_map(value)
    }

    fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !matches!(value, "0" | "false"))
    }
}

impl Answer {
    fn good(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { code: StatusCode::OK, kind, body: body.into() }
    }

    fn text(code: StatusCode, text: &str) -> Self {
        Self { code, kind: TEXT, body: text.to_owned().into() }
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.body));
        *response.status_mut() = self.code;
        let fixed: [(HeaderName, &'static str); 6] = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        let headers = response.headers_mut();
        headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
        headers.insert(header::CONTENT_SECURITY_POLICY, page::policy());
        response
    }
}

#[cfg(test)]
mod tests;
