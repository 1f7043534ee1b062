//! A tunnel that opens.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, configured, is_reset};
use crate::gateway::{Gateway, message, message_and_close};
use crate::soon;

#[tokio::test]
async fn what_comes_with_the_101_is_delivered() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut local = client.connect().await;
    gateway.asked().await.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
    drop(local);
    let line = client.logs.line("tunnel closed").await;
    assert!(line.starts_with("INFO") && line.contains("up=0 down=5"), "{line}");
    assert!(line.contains(r#"by="backend" why=end of file"#), "{line}");
    assert!(client.logs.line("tunnel opened").await.contains("attempts=1"));
}

#[tokio::test]
async fn both_directions_are_carried() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut local = client.connect().await;
    local.write_all(b"early").await.unwrap(); // before there is a tunnel
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    assert_eq!(asked.frame().await, (0x82, b"early".to_vec()));
    asked.stream.write_all(&message(b"answer")).await.unwrap();
    let mut answer = [0; 6];
    soon(local.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"answer");
    local.shutdown().await.unwrap();
    assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe8]));
}

#[tokio::test]
async fn the_request_is_an_upgrade_of_the_rfc() {
    let gateway = Gateway::new().await;
    let client = Client::start(&format!("{}?q=1", gateway.url()), &[]).await;
    let _local = client.connect().await;
    let asked = gateway.asked().await;
    assert!(asked.head.starts_with("GET /proxy/mysql?q=1 HTTP/1.1\r\n"), "{}", asked.head);
    let address = gateway.address().to_string();
    let agent = concat!("wsgate-client/", env!("CARGO_PKG_VERSION"));
    for (name, values) in [
        ("host", vec![address.as_str()]),
        ("origin", vec![format!("http://{address}").as_str()]),
        ("user-agent", vec![agent]),
        ("connection", vec!["Upgrade"]),
        ("upgrade", vec!["websocket"]),
        ("sec-websocket-version", vec!["13"]),
        ("sec-websocket-extensions", vec![]),
        ("sec-websocket-protocol", vec![]),
        ("wsgate-tunnel", vec!["2; window=1048576; resume=yes"]),
        ("authorization", vec![]),
        ("content-length", vec![]),
        ("transfer-encoding", vec![]),
    ] {
        assert_eq!(asked.values(name), values, "{name}");
    }
    assert!(tunnel::handshake::is_key(asked.values("sec-websocket-key")[0].as_bytes()));
}

#[tokio::test]
async fn the_users_headers_replace_ours() {
    let gateway = Gateway::new().await;
    let users = ["-H", "Host: other", "--headers", "X-Team: sesame", "-H", "x-team: b", "-H", "Origin: null"];
    let flags = [&users[..], &["-H", "Wsgate-Tunnel: 1"]].concat();
    let client = Client::start(&gateway.url(), &flags).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    for (name, values) in [
        ("host", vec!["other"]),
        ("x-team", vec!["sesame", "b"]),
        ("origin", vec!["null"]),
        ("wsgate-tunnel", vec!["1"]),
    ] {
        assert_eq!(asked.values(name), values, "{name}");
    }
    asked.answer("HTTP/1.1 404 Not Found\r\n\r\n").await;
    drop(asked);
    is_reset(local).await;
    assert!(!client.logs.text().contains("sesame"));
}

#[tokio::test]
async fn the_key_signs_a_token_that_is_used_again() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("client.key");
    let key = token::PrivateKey::generate(token::NewKey::P256).unwrap();
    std::fs::write(&file, key.to_pem().unwrap()).unwrap();
    let gateway = Gateway::new().await;
    let flags = ["--private-key", file.to_str().unwrap(), "--private-key-user", "alice"];
    let client = Client::start(&gateway.url(), &flags).await;
    let (_one, first) = (client.connect().await, gateway.asked().await);
    let (_two, second) = (client.connect().await, gateway.asked().await);
    let sent = first.values("authorization");
    assert_eq!(sent, second.values("authorization"));
    let token = sent[0].strip_prefix("Bearer ").unwrap();
    assert_eq!(token::Unverified::parse(token).unwrap().subject(), "alice");
    assert!(!client.logs.text().contains(token));

    let map = files.path().join("map.txt");
    std::fs::write(&map, ":0,http://gw/").unwrap();
    let error = configured(&map, &[&flags[..], &["-H", "Authorization: sesame"]].concat()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("contradicts --private-key") && !error.contains("sesame"), "{error}");
}

#[tokio::test]
async fn a_101_that_is_no_upgrade_is_named() {
    for (instead_of, with, flaw) in [
        ("Accept: ", "Accept: x", "does not answer our key"),
        ("Sec-WebSocket-Accept", "X", "does not answer our key"),
        ("Connection: Upgrade", "Connection: close", "Connection does not say Upgrade"),
        ("Upgrade: websocket", "Upgrade: h2c", "Upgrade does not say websocket"),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate",
            "extension",
        ),
        ("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Protocol: chat", "subprotocol"),
    ] {
        let gateway = Gateway::new().await;
        let client = Client::start(&gateway.url(), &[]).await;
        let local = client.connect().await;
        let mut asked = gateway.asked().await;
        let answer = asked.granted().replace(instead_of, with);
        asked.answer(&answer).await;
        is_reset(local).await;
        let line = client.logs.line("tunnel not opened").await;
        assert!(line.starts_with("WARN") && line.contains("attempts=1"), "{line}");
        assert!(line.contains(flaw) && line.contains("101 is no WebSocket upgrade"), "{line}");
        assert!(gateway.is_left_alone(), "{flaw}");
    }
}
