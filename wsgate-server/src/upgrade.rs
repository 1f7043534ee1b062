//! What an upgrade must look like, and the answer to one (RFC 6455 section 4.2).

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use tunnel::handshake::{VERSION, accept_for, has_token, is_key, is_upgrade, only};
use tunnel::header::{self as tunnel_header, Header, TUNNEL};

use crate::refusal::Refusal;

/// Checks the form of an upgrade and returns its key.
pub(crate) fn key<B>(request: &Request<B>) -> Result<HeaderValue, Refusal> {
    let headers = request.headers();
    let asks = has_token(headers, &header::UPGRADE, "websocket");
    if request.method() == Method::GET && !asks {
        return Err(Refusal::UpgradeRequired);
    }
    let wrong = [
        (request.method() != Method::GET, "the method is not GET"),
        (request.version() != Version::HTTP_11, "not HTTP/1.1"),
        (!is_upgrade(headers), "Connection does not say Upgrade"),
        (only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(&VERSION), "the version is not 13"),
        (has_body(headers), "an upgrade has no body"),
    ];
    if let Some((_, what)) = wrong.iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(Refusal::BadRequest(what));
    }
    match only(headers, &header::SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key.as_bytes()) => Ok(key.clone()),
        _ => Err(Refusal::BadRequest("Sec-WebSocket-Key is not base64 of 16 bytes")),
    }
}

/// What a client of dialect 2 asks for; `None`: it speaks dialect 1.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Option<tunnel_header::Request>, Refusal> {
    let header = Header::of(headers).map_err(Refusal::TunnelHeader)?;
    header.map(|header| header.request()).transpose().map_err(Refusal::TunnelHeader)
}

/// A body would be taken for the first frames.
fn has_body(headers: &HeaderMap) -> bool {
    let empty = |value: &HeaderValue| value.as_bytes() == b"0";
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| !empty(length))
}

/// The 101 that grants the upgrade with this key, and says what is agreed on if that is dialect 2. No
/// extension is granted.
pub(crate) fn switching(key: &HeaderValue, agreed: Option<&Header>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept_for(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(agreed) = agreed {
        headers.insert(TUNNEL, agreed.to_value());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Connection: keep-alive, Upgrade|Upgrade: WebSocket|Sec-WebSocket-Version: 13|\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

    fn request(method: Method, lines: &str) -> Request<()> {
        let mut request = Request::builder().method(method).uri("/proxy/x");
        for line in lines.split('|').filter(|l| !l.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_good_upgrade_is_granted() {
        let key = key(&request(Method::GET, GOOD)).unwrap();
        let response = switching(&key, None);
        assert!(!response.headers().contains_key(TUNNEL));
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn anything_else_is_refused_with_what_is_wrong() {
        let without =
            |name: &str| GOOD.split('|').filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("|");
        let with = |line: &str| format!("{GOOD}|{line}");
        for (method, lines, says) in [
            (Method::GET, String::new(), "upgrade-required"),
            (Method::GET, without("Upgrade"), "upgrade-required"),
            (Method::POST, String::new(), "method"),
            (Method::POST, GOOD.into(), "method"),
            (Method::GET, without("Connection"), "Connection"),
            (Method::GET, without("Sec-WebSocket-Version"), "version"),
            (Method::GET, with("Sec-WebSocket-Version: 13"), "version"),
            (Method::GET, GOOD.replace("13", "8"), "version"),
            (Method::GET, without("Sec-WebSocket-Key"), "Key"),
            (Method::GET, with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "Key"),
            (Method::GET, GOOD.replace("dGhl", "dG"), "Key"),
            (Method::GET, with("Content-Length: 5"), "body"),
            (Method::GET, with("Transfer-Encoding: chunked"), "body"),
        ] {
            let refusal = key(&request(method, &lines)).expect_err(says);
            let text = format!("{} {}", refusal.word(), refusal.reason());
            assert!(text.contains(says), "{lines}: {text}");
        }
        assert!(key(&request(Method::GET, &with("Content-Length: 0"))).is_ok());
    }

    #[test]
    fn what_is_wanted_is_read_or_refused_as_a_bad_request() {
        for (lines, expected) in [
            ("", Some(false)),
            ("Wsgate-Tunnel: 3; window=1", Some(false)),
            ("Wsgate-Tunnel: 2", Some(true)),
            ("Wsgate-Tunnel: 2; window=1048576; resume=no", Some(true)),
            ("Wsgate-Tunnel: 2; session=AAECAwQFBgcICQoLDA0ODw; received=1; attempt=1", Some(true)),
            ("Wsgate-Tunnel: 2|Wsgate-Tunnel: 2", None),
            ("Wsgate-Tunnel: 2, 2", None),
            ("Wsgate-Tunnel: 2; window=none", None),
            ("Wsgate-Tunnel: 2; session=AAECAwQFBgcICQoLDA0ODw", None),
        ] {
            let wanted = wanted(request(Method::GET, lines).headers());
            assert_eq!(wanted.as_ref().ok().map(Option::is_some), expected, "{lines}");
            if let Err(refusal) = wanted {
                assert_eq!((refusal.status(), refusal.word()), (StatusCode::BAD_REQUEST, "bad-request"));
            }
        }
    }
}
