//! TLS: tunnels over it, client certificates, and files that change.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::gateway::{Gateway, ask, exchange, is_closed, soon, text, tunnel, upgrade};

async fn start(authority: &Authority, more: &[&str]) -> Gateway {
    authority.issue("server");
    let (cert, key) = (authority.path("server.pem"), authority.path("server.key"));
    Gateway::start(&[&["--tls-cert", text(&cert), "--tls-key", text(&key)], more].concat()).await
}

fn name() -> rustls_pki_types::ServerName<'static> {
    "localhost".try_into().unwrap()
}

#[tokio::test]
async fn a_tunnel_runs_over_tls_and_survives_a_new_certificate() {
    let authority = Authority::new();
    let gateway = start(&authority, &[]).await;
    let client = authority.client(None);
    let mut open = soon(client.connect(name(), gateway.connect().await)).await.unwrap();
    assert_eq!(open.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let first = open.get_ref().1.peer_certificates().unwrap().to_vec();
    tunnel(&mut open, "before").await;

    authority.issue("server");
    kill_process(getpid(), Signal::HUP).unwrap();
    let changed = async {
        loop {
            // A new client each time: one that resumes its session is shown no certificate.
            let client = authority.client(None);
            let mut later = client.connect(name(), gateway.connect().await).await.unwrap();
            if later.get_ref().1.peer_certificates().unwrap() != first {
                break assert!(ask(&mut later, "/live", "").await.starts_with("HTTP/1.1 200 "));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(changed).await;
    exchange(&mut open, "after").await;

    std::fs::write(authority.path("server.pem"), "garbage").unwrap();
    kill_process(getpid(), Signal::HUP).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let client = authority.client(None);
    soon(client.connect(name(), gateway.connect().await)).await.expect("a bad file keeps the old one");
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_asked_for() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ca = authority.path("ca.pem");
    let gateway = start(&authority, &["--client-ca", text(&ca)]).await;
    authority.issue("alice");
    let client = authority.client(Some("alice"));
    tunnel(&mut soon(client.connect(name(), gateway.connect().await)).await.unwrap(), "hello").await;

    stranger.issue("mallory");
    for file in ["mallory.pem", "mallory.key"] {
        std::fs::copy(stranger.path(file), authority.path(file)).unwrap();
    }
    for identity in [None, Some("mallory")] {
        let client = authority.client(identity);
        // In TLS 1.3 the refusal comes after the client's side of the handshake is complete.
        if let Ok(mut refused) = soon(client.connect(name(), gateway.connect().await)).await {
            let _ = refused.write_all(b"GET /live HTTP/1.1\r\nHost: gw\r\n\r\n").await;
            assert!(is_closed(&mut refused).await, "{identity:?} is served");
        }
    }
}

#[tokio::test]
async fn who_does_not_speak_tls_is_closed_at_once_and_who_is_silent_at_the_deadline() {
    let authority = Authority::new();
    let gateway = start(&authority, &["--handshake-timeout", "300ms"]).await;
    let mut plain = gateway.connect().await;
    plain.write_all(b"GET /live HTTP/1.1\r\nHost: gw\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon(plain.read_to_end(&mut rest)).await;
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    assert!(is_closed(&mut gateway.connect().await).await);
}

#[tokio::test]
async fn the_deadline_of_the_handshake_is_that_of_the_first_head_too() {
    let authority = Authority::new();
    let gateway = start(&authority, &["--handshake-timeout", "300ms"]).await;
    let client = authority.client(None);
    let begun = std::time::Instant::now();
    let mut silent = soon(client.connect(name(), gateway.connect().await)).await.unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_proxy_header_comes_before_tls() {
    let authority = Authority::new();
    let gateway = start(&authority, &["--proxy-protocol-in"]).await;
    let client = authority.client(None);
    for (source, status) in [("10.0.0.9", "101"), ("203.0.113.1", "403")] {
        let mut stream = gateway.connect().await;
        let header = format!("PROXY TCP4 {source} 198.51.100.1 1234 443\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let mut stream = soon(client.connect(name(), stream)).await.unwrap();
        let head = upgrade(&mut stream, "echo", "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

#[tokio::test]
async fn a_reset_of_the_destination_is_a_reset_under_tls_too() {
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.path("server.pem"), authority.path("server.key"));
    let destination = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let map = format!("echo,{}\n", destination.local_addr().unwrap());
    let flags = ["--tls-cert", text(&cert), "--tls-key", text(&key)];
    let gateway = Gateway::start_with(tempfile::tempdir().unwrap(), "127.0.0.1:0", &map, &flags).await;
    let client = authority.client(None);
    let mut stream = soon(client.connect(name(), gateway.connect().await)).await.unwrap();
    assert!(upgrade(&mut stream, "echo", "").await.contains(" 101 "));
    let (dialled, _) = soon(destination.accept()).await.unwrap();
    dialled.set_zero_linger().unwrap();
    drop(dialled);
    let mut close = [0; 4];
    soon(stream.read_exact(&mut close)).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xf3], "Close 1011");
    let error = soon(stream.read(&mut close)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
