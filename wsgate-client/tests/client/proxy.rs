//! Forward proxies, made by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::Authority;
use crate::client::{Client, configured, is_reset};
use crate::gateway::{Asked, Down, Gateway, message_and_close};
use crate::soon;

const FOUND: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// Loopback is never reached through a proxy, so the gateway has a name that only the proxy knows.
async fn start(proxy: &Gateway, url: &str, flags: &[&str]) -> Client {
    let proxy = format!("--proxy=http://aladdin:open%20sesame@{}", proxy.address());
    let flags: Vec<_> =
        [proxy.as_str(), "--connect-timeout=5s"].into_iter().chain(flags.iter().copied()).collect();
    Client::start(url, &flags).await
}

#[tokio::test]
async fn a_tunnel_opens_through_a_proxy_with_a_password() {
    let proxy = Gateway::new().await;
    let client = start(&proxy, "http://gw.example.com/proxy/mysql", &[]).await;
    let mut local = client.connect().await;
    let mut connect = proxy.asked().await;
    assert!(connect.head.starts_with("CONNECT gw.example.com:80 HTTP/1.1\r\n"), "{}", connect.head);
    assert_eq!(connect.values("proxy-authorization"), ["Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    connect.answer(FOUND).await;
    let mut asked = Asked::read(connect.stream).await;
    assert!(asked.head.starts_with("GET /proxy/mysql HTTP/1.1\r\n"), "{}", asked.head);
    assert_eq!(asked.values("host"), ["gw.example.com"]);
    assert_eq!(asked.values("proxy-authorization"), Vec::<&str>::new(), "not for the gateway");
    asked.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
    let named = format!("proxy={}", proxy.address());
    for message in ["listening", "tunnel opened"] {
        let line = client.logs.line(message).await;
        assert!(line.contains(&named), "{line}");
    }
    assert!(!client.logs.text().contains("sesame"));
}

#[tokio::test]
async fn tls_goes_through_the_proxy_to_the_gateway() {
    let proxy = Gateway::new().await;
    let authority = Authority::new();
    let acceptor = authority.server("DNS:gw.example.com");
    let ca = authority.file();
    let client = start(&proxy, "https://gw.example.com/proxy/mysql", &["--ca", ca.to_str().unwrap()]).await;
    let mut local = client.connect().await;
    let mut connect = proxy.asked().await;
    assert!(connect.head.starts_with("CONNECT gw.example.com:443 HTTP/1.1\r\n"), "{}", connect.head);
    connect.answer(FOUND).await;
    let mut asked = Asked::read(soon(acceptor.accept(connect.stream)).await.unwrap()).await;
    asked.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn what_the_proxy_decides_is_final_and_names_it() {
    for (answer, says) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a user name and password"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "does not connect to gw.example.com:80: 403 Forbidden"),
        ("SSH-2.0-OpenSSH\r\n", "does not answer like an HTTP proxy"),
    ] {
        let proxy = Gateway::new().await;
        let client = start(&proxy, "http://gw.example.com/", &[]).await;
        let local = client.connect().await;
        proxy.asked().await.answer(answer).await;
        is_reset(local).await;
        let line = client.logs.line("tunnel not opened").await;
        assert!(line.contains(says) && line.contains(&proxy.address().to_string()), "{line}");
        assert!(line.contains("attempts=1") && !line.contains("sesame"), "{line}");
    }
}

#[tokio::test]
async fn trouble_behind_the_proxy_and_a_proxy_that_is_down_are_waited_out() {
    let down = Down::new();
    let address = down.address();
    let rule = format!("--proxy={address}");
    let client = Client::start("http://gw.example.com/", &[&rule]).await;
    let mut local = client.connect().await;
    let line = client.logs.line("trying again").await;
    assert!(line.contains(&format!("cannot connect to the proxy {address}: connection failed")), "{line}");
    let proxy = down.up();
    proxy.asked().await.answer("HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    let mut connect = proxy.asked().await;
    connect.answer(FOUND).await;
    Asked::read(connect.stream).await.grant(&message_and_close(b"")).await;
    assert_eq!(soon(local.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn loopback_needs_no_proxy() {
    let (proxy, gateway) = (Gateway::new().await, Gateway::new().await);
    let client = start(&proxy, &gateway.url(), &[]).await;
    let mut local = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    local.write_all(b"hello").await.unwrap();
    assert_eq!(asked.frame().await, (0x82, b"hello".to_vec()));
    assert!(proxy.is_left_alone());
    assert!(!client.logs.line("tunnel opened").await.contains("proxy"));
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_without_showing_it() {
    let files = tempfile::tempdir().unwrap();
    let map = files.path().join("map");
    std::fs::write(&map, "127.0.0.1:0,http://gw/").unwrap();
    for text in ["https://u:sesame@p:1", "socks5://u:sesame@p", "u:sesame@p:0"] {
        let error = format!("{:#}", configured(&map, &[&format!("--proxy={text}")]).unwrap_err());
        assert!(error.starts_with("--proxy: ") && !error.contains("sesame"), "{error}");
    }
    assert!(configured(&map, &["--proxy=none"]).is_ok());
}
