//! A stand-in for a server: real TLS, and answers as the test wants them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use https::fetch::{Client, Limits, PlainHttp};
use https::proxy::ProxyRule;
use https::{ClientTls, ServerTls, Url};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What is written for an answer, and what then.
pub(crate) enum Reply {
    Close(String),
    Hang(String),
    Endless(String),
}

pub(crate) fn ok(body: &str) -> Reply {
    reply("200 OK", "", body)
}

pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Close(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
}

pub(crate) struct Stand {
    pub(crate) port: u16,
    /// Of each request the SNI (or `-`), a space, then head and body
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    _accepting: AbortOnDropHandle<()>,
}

type Answer = dyn Fn(&str) -> Reply + Send + Sync;

impl Stand {
    /// Answers each connection's one request; without `tls` in the clear.
    pub(crate) async fn start(
        tls: Option<Arc<ServerTls>>,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        let accepting = tokio::spawn(accept(listener, tls, answer, seen.clone()));
        Stand { port, seen, _accepting: AbortOnDropHandle::new(accepting) }
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> Url {
        format!("https://{host}:{}{path}", self.port).parse().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, answer, seen) = (tls.clone(), answer.clone(), seen.clone());
        connections.spawn(async move {
            let Some(tls) = tls else { return serve(stream, "-", &*answer, &seen).await };
            let Ok(stream) = tls.accept(stream).await else { return };
            let sni = stream.get_ref().1.server_name().unwrap_or("-").to_owned();
            serve(stream, &sni, &*answer, &seen).await;
        });
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    sni: &str,
    answer: &Answer,
    seen: &Mutex<Vec<String>>,
) {
    let Some(request) = request(&mut stream).await else { return };
    seen.lock().unwrap().push(format!("{sni} {request}"));
    let (text, then) = match answer(&request) {
        Reply::Close(text) => (text, Then::Close),
        Reply::Hang(text) => (text, Then::Hang),
        Reply::Endless(text) => (text, Then::Endless),
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
    match then {
        Then::Close => drop(stream.shutdown().await),
        Then::Hang => std::future::pending().await,
        Then::Endless => while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {},
    }
}

enum Then {
    Close,
    Hang,
    Endless,
}

/// Head and body, the latter by its Content-Length.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(crate) fn client(tls: ClientTls) -> Client {
    let limits = Limits { timeout: Duration::from_secs(20), max_body: 64 * 1024, plain: PlainHttp::Loopback };
    Client { tls: Arc::new(tls), proxies: ProxyRule::none(), limits }
}

/// The error with all its causes.
pub(crate) fn chain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
