//! The upgrade to WebSocket (RFC 6455 section 4.1), made by hyper's client.
//!
//! ```text
//! GET /proxy/mysql HTTP/1.1
//! host: gw.example.com
//! connection: Upgrade
//! upgrade: websocket
//! sec-websocket-version: 13
//! sec-websocket-key: <16 random bytes in base64>
//! origin: https://gw.example.com
//! user-agent: wsgate-client/0.1.0
//! authorization: Bearer <token>
//! wsgate-tunnel: 2; window=1048576; resume=yes
//! ```

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tunnel::handshake::{VERSION, accept_for, generate_key, has_token, only};
use tunnel::header::{self as dialect2, Header};
use tunnel::{Role, Wire};

use crate::attempt::AttemptError;
use crate::connect::alongside;
use crate::endpoint::Endpoint;
use crate::refusal::Refusal;
use crate::stream::Stream;

/// The longest that one attempt waits for the answer; the gateway dials the destination meanwhile.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(30);

/// The longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// What is asked for beside the upgrade.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// A tunnel of dialect 2, new or to be resumed.
    pub(crate) tunnel: dialect2::Request,
    /// What earlier answers wanted to be sent back.
    pub(crate) cookies: Option<HeaderValue>,
}

/// What is granted.
pub(crate) struct Granted {
    pub(crate) wire: Wire<Stream>,
    /// What it says of dialect 2; `None`: dialect 1 is spoken.
    pub(crate) tunnel: Option<Header>,
    /// The values of `Set-Cookie`.
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Granted {
    /// 1 or 2.
    pub(crate) fn dialect(&self) -> u8 {
        if self.tunnel.is_some() { 2 } else { 1 }
    }
}

/// An upgrade, ready to be sent.
pub(crate) struct Asked {
    request: Request<Empty<Bytes>>,
    key: String,
}

impl Asked {
    /// What the user gave replaces what we would send, `Host` too; the credential cannot be replaced.
    pub(crate) fn new(gateway: &Endpoint, credential: HeaderMap, users: &HeaderMap, wanted: &Wanted) -> Self {
        let key = generate_key();
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = gateway.path_and_query.clone().into();
        let headers = request.headers_mut();
        let agent = concat!("wsgate-client/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::HOST, gateway.host());
        headers.insert(header::ORIGIN, value(&gateway.origin()));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.extend(users.clone());
        headers.extend(credential);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
        headers.insert(header::SEC_WEBSOCKET_KEY, value(&key));
        // A user may ask for dialect 1.
        headers.entry(dialect2::TUNNEL).or_insert_with(|| wanted.tunnel.header().to_value());
        if let Some(cookies) = &wanted.cookies {
            let all = joined(headers.get_all(header::COOKIE).iter().chain([cookies]));
            headers.insert(header::COOKIE, all);
        }
        Self { request, key }
    }
}

/// One `Cookie` of several: there is to be no more than one (RFC 6265 section 5.4).
fn joined<'v>(values: impl Iterator<Item = &'v HeaderValue>) -> HeaderValue {
    let all = values.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    let mut value = HeaderValue::from_bytes(&all).expect("what headers held, and separators");
    value.set_sensitive(true);
    value
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("an origin and base64 are visible ASCII")
}

/// Sends `asked` on a fresh connection and waits for the answer, for `limit` at most.
pub(crate) async fn upgrade(stream: Stream, asked: Asked, limit: Duration) -> Result<Granted, AttemptError> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(AttemptError::NoAnswer)?;
    alongside(exchange(sender, asked, limit), connection.with_upgrades()).await
}

async fn exchange(
    mut sender: http1::SendRequest<Empty<Bytes>>,
    asked: Asked,
    limit: Duration,
) -> Result<Granted, AttemptError> {
    let answer = timeout(limit, sender.send_request(asked.request)).await;
    let answer = answer.map_err(|_| AttemptError::Silent(limit))?;
    let answer = answer.map_err(AttemptError::NoAnswer)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(AttemptError::Refused(Refusal::read(answer).await));
    }
    if let Some(flaw) = flaw(answer.headers(), &asked.key) {
        return Err(AttemptError::NotWebSocket(flaw));
    }
    opened(answer).await
}

/// What is wrong with a 101 (RFC 6455 section 4.1, the client's checks).
fn flaw(headers: &HeaderMap, key: &str) -> Option<&'static str> {
    let accept = only(headers, &header::SEC_WEBSOCKET_ACCEPT);
    let expected = accept_for(key.as_bytes());
    let wrong = [
        (!has_token(headers, &header::UPGRADE, "websocket"), "Upgrade does not say websocket"),
        (!has_token(headers, &header::CONNECTION, "upgrade"), "Connection does not say Upgrade"),
        (
            accept.is_none_or(|accept| accept.as_bytes() != expected.as_bytes()),
            "Sec-WebSocket-Accept does not answer our key",
        ),
        (
            headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS),
            "it grants an extension; none was asked for",
        ),
        (headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL), "it picks a subprotocol; none was offered"),
    ];
    wrong.iter().find(|(is_wrong, _)| *is_wrong).map(|(_, flaw)| *flaw)
}

/// Takes the connection back from hyper, with what it has read behind the head.
async fn opened(answer: http::Response<Incoming>) -> Result<Granted, AttemptError> {
    let tunnel = Header::of(answer.headers()).map_err(AttemptError::BadTunnel)?;
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    let upgraded = hyper::upgrade::on(answer).await.map_err(AttemptError::NoAnswer)?;
    let parts = upgraded
        .downcast::<TokioIo<Stream>>()
        .unwrap_or_else(|_| unreachable!("`upgrade` gave hyper a TokioIo<Stream>"));
    let wire = Wire { stream: parts.io.into_inner(), early: parts.read_buf.to_vec(), role: Role::Client };
    Ok(Granted { wire, tunnel, cookies })
}
