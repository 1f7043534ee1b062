//! HTTP CONNECT, RFC 9110 §9.3.6:
//!
//! ```text
//! CONNECT gw.example.com:443 HTTP/1.1            HTTP/1.1 200 Connection established
//! Host: gw.example.com:443                  ──►  …
//! Proxy-Authorization: Basic …              ◄──
//! ```
//!
//! After the empty line of the answer the connection is the target's. The answer is read one byte at
//! a time: not one that follows it is ours, and it is read once a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Proxy;
use crate::{Host, text};

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How much of the proxy's reason is shown, in bytes
const MAX_REASON: usize = 200;

/// What went wrong between us and the proxy. Each text names the proxy, none its credentials.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection to the proxy broke
    #[error("the connection to the proxy {proxy} broke")]
    Io {
        /// `host:port` of the proxy
        proxy: String,
        /// Why
        source: io::Error,
    },
    /// The proxy closed the connection before it had answered
    #[error("the proxy {proxy} closed the connection without an answer")]
    Closed {
        /// `host:port` of the proxy
        proxy: String,
    },
    /// 407
    #[error(
        "the proxy {proxy} wants a user name and password, or others than these: --proxy http://USER:PASSWORD@{proxy}"
    )]
    Credentials {
        /// `host:port` of the proxy
        proxy: String,
    },
    /// Any other answer than 2xx
    #[error("the proxy {proxy} does not connect to {target}: {status} {reason}")]
    Refused {
        /// `host:port` of the proxy
        proxy: String,
        /// `host:port` that was asked for
        target: String,
        /// The status code
        status: u16,
        /// What the proxy says, in one line of at most 200 bytes
        reason: String,
    },
    /// An answer that is not HTTP/1, or a head above 16 KiB
    #[error("what listens at {proxy} does not answer like an HTTP proxy")]
    NotHttp {
        /// `host:port` of the proxy
        proxy: String,
    },
}

/// Asks `proxy`, to which `stream` is connected, for a connection to `host:port`, and gives the stream
/// back as that connection. Set a deadline around it.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    proxy: &Proxy,
    host: &Host,
    port: u16,
) -> Result<S, ConnectError> {
    let target = format!("{host}:{port}");
    let broken = |source| ConnectError::Io { proxy: proxy.to_string(), source };
    stream.write_all(request(proxy, &target).as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let head = head(&mut stream, proxy).await?;
    let proxy = proxy.to_string();
    let Some((status, reason)) = status(&head) else { return Err(ConnectError::NotHttp { proxy }) };
    match status {
        200..=299 => Ok(stream),
        407 => Err(ConnectError::Credentials { proxy }),
        status => Err(ConnectError::Refused { proxy, target, status, reason }),
    }
}

fn request(proxy: &Proxy, target: &str) -> String {
    let authorization = proxy.authorization.as_deref();
    let line = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{line}\r\n")
}

/// Up to and with the empty line; a line may end without carriage return (RFC 9112 §2.2).
async fn head(stream: &mut (impl AsyncRead + Unpin), proxy: &Proxy) -> Result<Vec<u8>, ConnectError> {
    let proxy = || proxy.to_string();
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\n\r\n") && !head.ends_with(b"\n\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ConnectError::Closed { proxy: proxy() });
            }
            Err(source) => return Err(ConnectError::Io { proxy: proxy(), source }),
        }
        let start = &b"HTTP/1."[..head.len().min(7)];
        if head.len() > MAX_HEAD || !head.starts_with(start) {
            return Err(ConnectError::NotHttp { proxy: proxy() });
        }
    }
    Ok(head)
}

/// `HTTP/1.1 403 Forbidden` (RFC 9112 §4)
fn status(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let rest = line.get(b"HTTP/1.1 ".len()..)?;
    let (code, reason) = rest.split_at_checked(3)?;
    let digits = code.iter().all(u8::is_ascii_digit) && !reason.first().is_some_and(u8::is_ascii_digit);
    let code = std::str::from_utf8(code).ok().filter(|_| digits)?;
    Some((code.parse().ok()?, text::line(reason, MAX_REASON)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::ProxyRule;

    fn proxy(url: &str) -> Proxy {
        let rule = ProxyRule::new(Some(url), |_| None).unwrap();
        rule.proxy_for(&"https://a.example/".parse().unwrap()).unwrap().clone()
    }

    /// What a proxy that answers `answer` is asked, and what becomes of it.
    async fn ask(url: &str, answer: &[u8]) -> (String, Result<Vec<u8>, ConnectError>) {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let connected = connect(ours, &proxy(url), &Host::Name("gw.example".into()), 443).await;
        let mut rest = Vec::new();
        let result = match connected {
            Ok(mut stream) => {
                stream.read_to_end(&mut rest).await.unwrap();
                Ok(rest)
            }
            Err(error) => Err(error),
        };
        let mut asked = String::new();
        theirs.read_to_string(&mut asked).await.unwrap();
        (asked, result)
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_the_targets() {
        let (asked, rest) = ask("u:p@p:3128", b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nSSH-2.0\r\n\r\n").await;
        assert_eq!(rest.unwrap(), b"SSH-2.0\r\n\r\n");
        let expected = "CONNECT gw.example:443 HTTP/1.1\r\nHost: gw.example:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
        assert_eq!(asked, expected);
        let (asked, rest) = ask("p:3128", b"HTTP/1.0 200\n\nx").await;
        assert_eq!(rest.unwrap(), b"x");
        assert!(!asked.contains("Authorization"));
    }

    #[tokio::test]
    async fn other_answers_are_told_apart() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
        let rows: [(&[u8], &str); 11] = [
            (b"", "the proxy p:3128 closed the connection without an answer"),
            (b"HTTP/1.1 200 OK\r\n", "the proxy p:3128 closed the connection without an answer"),
            (b"HTTP/1.1 407 Auth\r\n\r\n", "the proxy p:3128 wants a user name and password"),
            (
                b"HTTP/1.1 403 Not\x1b[1m\tyou\r\n\r\n",
                "the proxy p:3128 does not connect to gw.example:443: 403 Not[1m you",
            ),
            (b"HTTP/1.1 502\r\n\r\n", "the proxy p:3128 does not connect to gw.example:443: 502"),
            (
                b"HTTP/1.1 301 M\r\nLocation: /\r\n\r\n",
                "the proxy p:3128 does not connect to gw.example:443: 301 M",
            ),
            (b"SSH-2.0-OpenSSH\r\n", "what listens at p:3128 does not answer like an HTTP proxy"),
            (b"HTTP/2 200\r\n\r\n", "what listens at p:3128 does not answer like an HTTP proxy"),
            (b"HTTP/1.1 2000\r\n\r\n", "what listens at p:3128 does not answer like an HTTP proxy"),
            (b"HTTP/1.1 +20\r\n\r\n", "what listens at p:3128 does not answer like an HTTP proxy"),
            (&long, "what listens at p:3128 does not answer like an HTTP proxy"),
        ];
        for (answer, expected) in rows {
            let (_, result) = ask("secret:word@p:3128", answer).await;
            let error = result.unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("secret") && !shown.contains("word@"), "{shown}");
        }
    }
}
