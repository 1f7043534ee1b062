//! A running gateway with a destination that echoes, and callers of it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use daemon::argv::{self, Dash};
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wsgate_server::{Args, Config, run};

pub(crate) struct Gateway {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) stop: Stop,
    pub(crate) running: JoinHandle<()>,
    _dir: TempDir,
}

impl Gateway {
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let echo = echo().await;
        Self::start_with(dir, "127.0.0.1:0", &format!("echo,{echo}\n"), flags).await
    }

    pub(crate) async fn start_with(dir: TempDir, listen: &str, map: &str, flags: &[&str]) -> Self {
        let path = dir.path().join("map.txt");
        std::fs::write(&path, map).unwrap();
        let args = ["wsgate-server", "--map", path.to_str().unwrap()];
        let args: Args = argv::parse(args.iter().chain(flags).map(OsString::from), Dash::Single).unwrap();
        let (config, _) = Config::from_args(args, 20_000).unwrap();
        let listeners = daemon::listen::bind(&listen.parse().unwrap()).await.unwrap();
        let address = listeners[0].tcp_addr().unwrap();
        let stop = Stop::manual();
        let sockets = Sockets { listeners, inherited: false };
        let running = tokio::spawn(run(config, sockets, None, stop.clone()));
        Self { address, stop, running, _dir: dir }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.unwrap()).await.unwrap()
    }
}

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

/// Nothing here takes that long.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it hangs")
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Sends a request and reads the head of the answer.
pub(crate) async fn ask(stream: &mut impl Stream, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: gw\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.expect("an answer"));
    }
    String::from_utf8(head).unwrap()
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(crate) async fn upgrade(stream: &mut impl Stream, name: &str, headers: &str) -> String {
    ask(stream, &format!("/proxy/{name}"), &format!("{UPGRADE}{headers}")).await
}

/// Opens a tunnel to the echo and sends `text` through it and back.
pub(crate) async fn tunnel(stream: &mut impl Stream, text: &str) {
    let head = upgrade(stream, "echo", "").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    exchange(stream, text).await;
}

/// A message there and back (RFC 6455 section 5.2; the masking key is zero).
pub(crate) async fn exchange(stream: &mut impl Stream, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    let frame = [&[0x82, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = vec![0; text.len() + 2];
    soon(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [&[0x82, length], text.as_bytes()].concat());
}

/// Whether the peer ends the connection, in whatever way, without a byte.
pub(crate) async fn is_closed(stream: &mut impl Stream) -> bool {
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    rest.is_empty()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
