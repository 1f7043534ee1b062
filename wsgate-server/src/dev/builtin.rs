//! The built-in destinations: real services on loopback ports of their own, so that dev mode takes the
//! same way as everything else.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use daemon::accept::{self, Accepted, Stream};
use daemon::listen::{self, ListenAddr, Listener};
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const PAGE: &str = "<!doctype html>\n<title>wsgate</title>\n<h1>Hello</h1>\n\
                    <p>This page came through a wsgate tunnel: a private service, reached over WebSocket.</p>\n";

/// A small HTTP page.
pub(super) async fn hello() -> Result<SocketAddr> {
    serve(|stream| async move {
        let page = service_fn(|_: Request<Incoming>| async {
            let mut response = Response::new(Full::<Bytes>::from(PAGE));
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
            Ok::<_, Infallible>(response)
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), page).await;
    })
    .await
}

/// Says what it hears.
pub(super) async fn echo() -> Result<SocketAddr> {
    serve(|mut stream| async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn serve<F>(answer: fn(TcpStream) -> F) -> Result<SocketAddr>
where
    F: Future<Output = ()> + Send + 'static,
{
    let anywhere: ListenAddr = "127.0.0.1:0".parse()?;
    let mut bound = None;
    for listener in listen::bind(&anywhere).await? {
        if let Listener::Tcp(_) = listener {
            bound = listener.tcp_addr()?;
        }
        tokio::spawn(accept::serve(
            listener,
            CancellationToken::new(),
            move |Accepted { stream, .. }| {
                if let Stream::Tcp(stream) = stream {
                    tokio::spawn(answer(stream));
                }
            },
        ));
    }
    bound.ok_or_else(|| anyhow::anyhow!("no port on 127.0.0.1"))
}
