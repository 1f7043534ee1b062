//! A gateway behind TLS.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::certificates::Authority;
use crate::client::{Client, is_reset};
use crate::gateway::{Asked, Gateway, message, message_and_close};
use crate::soon;

async fn start(gateway: &Gateway, host: &str, authority: &Authority) -> Client {
    let url = format!("https://{host}:{}/proxy/mysql", gateway.address().port());
    let flags = ["--connect-timeout=5s", "--ca", authority.file().to_str().unwrap()].map(String::from);
    Client::start(&url, &flags.each_ref().map(String::as_str)).await
}

#[tokio::test]
async fn a_tunnel_opens_under_tls() {
    let authority = Authority::new();
    let acceptor = authority.server("DNS:localhost");
    let gateway = Gateway::new().await;
    let client = start(&gateway, "localhost", &authority).await;
    let mut local = client.connect().await;
    let stream: TlsStream<TcpStream> = soon(acceptor.accept(gateway.connection().await)).await.unwrap();
    let connection = stream.get_ref().1;
    assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]), "never h2");
    assert_eq!(connection.server_name(), Some("localhost"));
    let mut asked = Asked::read(stream).await;
    let port = gateway.address().port();
    assert_eq!(asked.values("origin"), [format!("https://localhost:{port}")]);
    asked.grant(&message(b"early")).await;
    let mut early = [0; 5];
    soon(local.read_exact(&mut early)).await.unwrap();
    local.write_all(b"question").await.unwrap();
    assert_eq!(asked.frame().await, (0x82, b"question".to_vec()));
    asked.stream.write_all(&message_and_close(b"hello")).await.unwrap();
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn much_data_flows_under_tls() {
    let authority = Authority::new();
    let acceptor = authority.server("IP:127.0.0.1");
    let gateway = Gateway::new().await;
    let client = start(&gateway, "127.0.0.1", &authority).await;
    let mut local = client.connect().await;
    let mut asked = Asked::read(soon(acceptor.accept(gateway.connection().await)).await.unwrap()).await;
    asked.grant(b"").await;
    // The gateway's end: an echo. A reader that comes last makes every buffer on the way full once.
    let (echo, far) = tokio::io::duplex(64 * 1024);
    let echoing = async {
        let (mut reader, mut writer) = tokio::io::split(far);
        tokio::io::copy(&mut reader, &mut writer).await
    };
    let wire = tunnel::Wire { stream: Tested(asked.stream), early: Vec::new(), role: tunnel::Role::Server };
    let settings = tunnel::Settings {
        control_timeout: std::time::Duration::from_secs(5),
        limits: tunnel::Limits::default(),
        stop: client.stop.now.clone(),
        meter: relay::Meter::default(),
        tap: None,
        round_trip: None,
    };
    let sent: Vec<u8> = (0..8_000_000u32).map(|n| (n % 251) as u8).collect();
    let application = async {
        let (mut reader, mut writer) = local.split();
        let mut got = vec![0; sent.len()];
        let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut got));
        written.and(read).unwrap();
        assert!(got == sent);
    };
    soon(async {
        tokio::select! {
            () = application => {}
            _ = tunnel::carry(Tested(echo), wire, settings) => panic!("the tunnel ended early"),
            _ = echoing => panic!("the echo ended early"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_resets_leaves_no_complete_answer() {
    let authority = Authority::new();
    let acceptor = authority.server("IP:127.0.0.1");
    let gateway = Gateway::new().await;
    let client = start(&gateway, "127.0.0.1", &authority).await;
    let mut local = client.connect().await;
    let mut asked = Asked::read(soon(acceptor.accept(gateway.connection().await)).await.unwrap()).await;
    asked.grant(&message(b"half")).await;
    soon(local.read_exact(&mut [0; 4])).await.unwrap();
    drop(asked); // no close_notify: the stream may have been cut by anybody
    is_reset(local).await;
    assert!(client.logs.line("tunnel closed").await.starts_with("INFO"));
}

#[tokio::test]
async fn a_certificate_that_is_not_good_says_why() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (acceptor, says) in [
        (theirs.server("IP:127.0.0.1"), "--ca FILE names the roots to trust): invalid peer certificate"),
        (ours.server("DNS:elsewhere.example.com"), "certificate not valid for name"),
    ] {
        let gateway = Gateway::new().await;
        let client = start(&gateway, "127.0.0.1", &ours).await;
        let local = client.connect().await;
        for attempt in 0..2 {
            let accepted = soon(acceptor.accept(gateway.connection().await)).await;
            assert!(accepted.is_err(), "attempt {attempt}");
        }
        drop(gateway);
        is_reset(local).await;
        let line = client.logs.line("trying again").await;
        assert!(line.contains(says), "{line}");
    }
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_certificate_gets_ours() {
    let authority = Authority::new();
    let acceptor = authority.server_that_asks("IP:127.0.0.1");
    let gateway = Gateway::new().await;
    let [certificate, key] = authority.last(); // an authority's certificates serve both ends
    let url = format!("https://{}/", gateway.address());
    let (ca, certificate, key) = (authority.file(), certificate.to_str().unwrap(), key.to_str().unwrap());
    let flags = ["--ca", ca.to_str().unwrap(), "--client-cert", certificate, "--client-key", key];
    let client = Client::start(&url, &flags).await;
    let mut local = client.connect().await;
    let stream = soon(acceptor.accept(gateway.connection().await)).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().map(<[_]>::len), Some(1));
    Asked::read(stream).await.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn a_gateway_without_tls_is_recognised() {
    let authority = Authority::new();
    let gateway = Gateway::new().await;
    let client = start(&gateway, "127.0.0.1", &authority).await;
    let _local = client.connect().await;
    gateway.connection().await.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let line = client.logs.line("trying again").await;
    assert!(line.contains("is the URL http?"), "{line}");
}

/// What a test carries between; it ends as its stream does.
struct Tested<S>(S);

mod leg {
    use super::Tested;
    use std::io::Result;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl<S: AsyncRead + AsyncWrite + Unpin + Send> relay::Leg for Tested<S> {
        fn reset_on_drop(&mut self) {}
    }

    impl<S: AsyncRead + Unpin> AsyncRead for Tested<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, into)
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for Tested<S> {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, from)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
}
