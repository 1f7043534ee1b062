//! What is asked.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::FetchError;
use crate::Url;

/// What a form leaves as it is besides letters and digits (WHATWG URL §5.2); a space is `%20`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
const AGENT: &str = concat!("wsgate/", env!("CARGO_PKG_VERSION"));

/// A request: GET, or POST with a body.
#[derive(Clone)]
pub struct Request {
    /// Whom and what to ask
    pub url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A GET of `url`.
    pub fn get(url: Url) -> Self {
        Request { url, method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A POST of names and values as a form sends them, `application/x-www-form-urlencoded`.
    pub fn form(url: Url, fields: &[(&str, &str)]) -> Self {
        let encode = |text| utf8_percent_encode(text, FORM);
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(*name), encode(*value))).collect();
        Request::post(url, "application/x-www-form-urlencoded", fields.join("&"))
    }

    /// A POST of a JSON text.
    pub fn json(url: Url, value: &serde_json::Value) -> Self {
        Request::post(url, "application/json", value.to_string())
    }

    fn post(url: Url, content_type: &'static str, body: String) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Request { url, method: Method::POST, headers, body: body.into() }
    }

    /// The same with one more header, in place of one of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// In origin form (RFC 9112 §3.2.1).
    pub(super) fn to_http(&self) -> Result<http::Request<Full<Bytes>>, FetchError> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.path_and_query().clone().into();
        let host = HeaderValue::try_from(self.url.authority())
            .map_err(|_| FetchError::Name(self.url.host.clone()))?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.extend(self.headers.clone());
        headers.insert(HOST, host);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }
}

/// Leaves headers and body out: they carry credentials.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn forms_are_encoded() {
        let url: Url = "https://a.example:8443/token?x=1".parse().unwrap();
        let fields = [("grant_type", "urn:ietf:jwt-bearer"), ("a b", "é&=+~-_.*")];
        let request = Request::form(url, &fields).to_http().unwrap();
        assert_eq!(request.uri(), "/token?x=1");
        assert_eq!(request.headers()[HOST], "a.example:8443");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "grant_type=urn%3Aietf%3Ajwt-bearer&a%20b=%C3%A9%26%3D%2B%7E-_.*");
    }

    #[test]
    fn debug_keeps_secrets() {
        let url: Url = "https://a.example/token?key=hidden".parse().unwrap();
        let request = Request::form(url, &[("assertion", "hidden")])
            .header(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer hidden"));
        assert_eq!(format!("{request:?}"), "Request(POST https://a.example/token)");
    }
}
