//! Asking a container whether it is ready: only an application answers, not the proxy in front of it.
//!
//! A connection that is neither closed nor reset for 200 ms, or on which a byte comes, is an application's.
//! docker-proxy accepts for an application that does not listen yet, and closes at once.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use relay::proxy::{Header, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::want;

/// How long a connection must stay open without a byte. On a machine whose processors are all busy docker-proxy was
/// seen to take more than 50 ms until it gave up.
const QUIET: Duration = Duration::from_millis(200);

/// How long an HTTP answer may take: longer than a request of a busy application does.
const ANSWER: Duration = Duration::from_secs(5);

/// What is read of it at most, in bytes, and of what a server says first.
const MOST_OF_ANSWER: u64 = 1024 * 1024;
const GREETING: usize = 4096;

/// What makes a container ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// It accepts, and does not close at once.
    #[default]
    Tcp,
    /// It answers a GET of this path with 2xx or 3xx.
    Http(String),
}

/// `tcp` or `http:/path`.
impl FromStr for Check {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_path = |path: &str| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        match text.strip_prefix("http:") {
            None if text == "tcp" => Ok(Self::Tcp),
            Some(path) if is_path(path) => Ok(Self::Http(path.to_owned())),
            _ => Err("write tcp or http:/path"),
        }
    }
}

/// How to ask.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) check: Check,
    /// The header with which connections begin there.
    pub(crate) proxy_protocol: Option<Version>,
    pub(crate) connect_timeout: Duration,
}

/// What an address answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ready,
    Refused,
    /// It was accepted, and closed before anything was said.
    Closed,
    /// An HTTP answer with this status.
    Status(u16),
    /// It was accepted, and the answer was none or not HTTP.
    NoAnswer,
    TimedOut,
    Unreachable,
    /// We lack a descriptor, memory or a local port, which says nothing about the container.
    NotAsked,
    Failed(io::ErrorKind),
}

impl Outcome {
    /// Whether there is a way to the address at all.
    pub(crate) fn is_reachable(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::Unreachable | Self::NotAsked)
    }

    /// Whether somebody accepted.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self, Self::Ready | Self::Closed | Self::Status(_) | Self::NoAnswer)
    }
}

impl Outcome {
    /// Of a connect to `address` that failed.
    fn of(error: &io::Error, address: SocketAddr) -> Self {
        match error.kind() {
            _ if want::is_ours(error, address) => Self::NotAsked,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::Unreachable,
            kind => Self::Failed(kind),
        }
    }
}

/// To follow an address.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("is ready"),
            Self::Refused => f.write_str("refuses connections"),
            Self::Closed => f.write_str("accepts and closes at once"),
            Self::Status(status) => write!(f, "answers with status {status}"),
            Self::NoAnswer => f.write_str("gives no HTTP answer"),
            Self::TimedOut => f.write_str("does not answer"),
            Self::Unreachable => f.write_str("is unreachable"),
            Self::NotAsked => {
                f.write_str("was not asked: this process lacks descriptors, memory or local ports")
            }
            Self::Failed(kind) => write!(f, "failed: {kind}"),
        }
    }
}

/// Asks `address` once.
pub(crate) async fn probe(address: SocketAddr, how: &How) -> Outcome {
    let mut stream = match timeout(how.connect_timeout, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Outcome::of(&error, address),
        Err(_) => return Outcome::TimedOut,
    };
    if let Some(version) = how.proxy_protocol
        && stream.write_all(&header(version)).await.is_err()
    {
        return Outcome::Closed;
    }
    match &how.check {
        Check::Tcp => quiet(&mut stream).await,
        Check::Http(path) => {
            let outcome = match timeout(ANSWER, status(&mut stream, path, address)).await {
                Ok(Ok(Some(200..=399))) => Outcome::Ready,
                Ok(Ok(Some(status))) => Outcome::Status(status),
                Ok(Ok(None)) | Err(_) => Outcome::NoAnswer,
                Ok(Err(_)) => return Outcome::Closed,
            };
            tokio::spawn(timeout(ANSWER, read_out(stream)));
            outcome
        }
    }
}

/// Reads the rest of an answer, since closing while a part is unread would send a reset, which servers log.
async fn read_out(stream: TcpStream) {
    let _ = tokio::io::copy(&mut stream.take(MOST_OF_ANSWER), &mut tokio::io::sink()).await;
}

/// A connection of the proxy's own, as each version says it.
fn header(version: Version) -> Vec<u8> {
    match version {
        Version::V1 => Header::Unknown.write(version),
        Version::V2 => Header::Local.write(version),
    }
}

async fn quiet(stream: &mut TcpStream) -> Outcome {
    // With room for a whole greeting: closing while a part is unread would send a reset, which servers log.
    match timeout(QUIET, stream.read(&mut [0; GREETING])).await {
        Err(_) | Ok(Ok(1..)) => Outcome::Ready,
        Ok(Ok(0) | Err(_)) => Outcome::Closed,
    }
}

/// The status of the answer to a GET of `path`, if it is HTTP (RFC 9112, section 4).
async fn status(stream: &mut TcpStream, path: &str, address: SocketAddr) -> io::Result<Option<u16>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: motarei\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).await?;
    let line = std::str::from_utf8(&line).unwrap_or_default();
    Ok(line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use tokio::net::TcpListener;

    /// What a probe says of a server that reads `expect` bytes, writes `answer` and then stays or closes.
    async fn outcome(
        check: Check,
        version: Option<Version>,
        expect: usize,
        answer: &'static str,
        stays: bool,
    ) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut vec![0; expect]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            if stays {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        let how = How { check, proxy_protocol: version, connect_timeout: Duration::from_secs(3) };
        let outcome = probe(address, &how).await;
        server.await.unwrap();
        outcome
    }

    #[tokio::test]
    async fn tells_an_application_from_a_proxy() {
        let http = || Check::Http("/up".into());
        let table = [
            ("waits for the client", Check::Tcp, None, 0, "", true, Outcome::Ready),
            ("speaks first", Check::Tcp, None, 0, "SSH-2.0", true, Outcome::Ready),
            ("speaks and closes", Check::Tcp, None, 0, "busy", false, Outcome::Ready),
            ("closes at once", Check::Tcp, None, 0, "", false, Outcome::Closed),
            ("wants version 1", Check::Tcp, Some(Version::V1), 15, "", true, Outcome::Ready),
            ("wants version 2", Check::Tcp, Some(Version::V2), 16, "", true, Outcome::Ready),
            ("answers 200", http(), None, 20, "HTTP/1.1 200 OK\r\n\r\n", true, Outcome::Ready),
            ("answers 302", http(), None, 20, "HTTP/1.0 302 Found\r\n\r\n", true, Outcome::Ready),
            ("answers 503", http(), None, 20, "HTTP/1.1 503 \r\n\r\n", true, Outcome::Status(503)),
            ("is not HTTP", http(), None, 20, "SSH-2.0-OpenSSH", true, Outcome::NoAnswer),
            ("hangs up", http(), None, 20, "", false, Outcome::Closed),
        ];
        for (name, check, version, expect, answer, stays, expected) in table {
            assert_eq!(outcome(check, version, expect, answer, stays).await, expected, "{name}");
        }
    }

    #[test]
    fn what_we_lack_is_not_the_containers_fault() {
        for (error, outcome, reachable) in [
            (Errno::MFILE, Outcome::NotAsked, false),
            (Errno::NOBUFS, Outcome::NotAsked, false),
            (Errno::CONNREFUSED, Outcome::Refused, true),
            (Errno::ADDRNOTAVAIL, Outcome::Unreachable, false),
            (Errno::NETUNREACH, Outcome::Unreachable, false),
        ] {
            let told = Outcome::of(&error.into(), "[fe80::1]:1".parse().unwrap());
            assert_eq!((told.is_reachable(), told), (reachable, outcome), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_port_on_which_nothing_listens_refuses() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let how = How { check: Check::Tcp, proxy_protocol: None, connect_timeout: Duration::from_secs(3) };
        let outcome = probe(address, &how).await;
        assert_eq!(outcome, Outcome::Refused);
        assert!(outcome.is_reachable() && !Outcome::TimedOut.is_reachable());
    }

    #[test]
    fn a_check_is_tcp_or_a_path() {
        assert_eq!("tcp".parse(), Ok(Check::Tcp));
        assert_eq!("http:/a?b".parse(), Ok(Check::Http("/a?b".into())));
        for text in ["", "http", "http:", "http:up", "http:/a b", "http:/a\r\n", "https:/", "TCP"] {
            assert!(text.parse::<Check>().is_err(), "{text}");
        }
    }
}
