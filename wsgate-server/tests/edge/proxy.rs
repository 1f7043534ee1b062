//! PROXY headers from the proxies in front.

use tokio::io::AsyncWriteExt;

use crate::gateway::{Gateway, ask, is_closed, soon, tunnel, upgrade};

const PUBLIC: &[u8] = b"PROXY TCP4 203.0.113.1 198.51.100.1 1234 443\r\n";
const PRIVATE: &[u8] = b"PROXY TCP4 10.0.0.9 198.51.100.1 1234 443\r\n";
/// LOCAL: the proxy itself, for a health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test]
async fn the_source_of_the_header_is_the_peer_and_protected_mode_judges_it() {
    let gateway = Gateway::start(&["--proxy-protocol-in"]).await;
    for (header, status) in [(PRIVATE, "101"), (LOCAL, "101"), (PUBLIC, "403")] {
        let mut stream = gateway.connect().await;
        stream.write_all(header).await.unwrap();
        let head = upgrade(&mut stream, "echo", "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    let mut stream = gateway.connect().await;
    stream.write_all(PRIVATE).await.unwrap();
    tunnel(&mut stream, "after a header").await;
}

#[tokio::test]
async fn a_trusted_proxy_without_its_header_is_closed_without_an_answer() {
    let gateway = Gateway::start(&["--proxy-protocol-in", "--handshake-timeout", "500ms"]).await;
    for sent in [&b"GET /live HTTP/1.1\r\nHost: gw\r\n\r\n"[..], b"PROXY TCP4 203", b""] {
        let mut stream = gateway.connect().await;
        stream.write_all(sent).await.unwrap();
        assert!(is_closed(&mut stream).await, "{sent:?}");
    }
}

#[tokio::test]
async fn a_stranger_is_served_as_it_is_and_its_header_is_a_bad_request() {
    for flags in [&["--proxy-protocol-in", "--trusted-proxy", "192.0.2.0/24"][..], &[]] {
        let gateway = Gateway::start(flags).await;
        tunnel(&mut gateway.connect().await, "no header").await;
        for header in [PRIVATE, LOCAL] {
            let mut stream = gateway.connect().await;
            stream.write_all(header).await.unwrap();
            let head = soon(ask(&mut stream, "/live", "")).await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        }
    }
}
