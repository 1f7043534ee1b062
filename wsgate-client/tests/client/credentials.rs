//! Tokens that a command or a file gives, and what happens when the gateway does not take them.

use std::path::Path;

use crate::client::{Client, configured, is_reset};
use crate::gateway::{Gateway, message_and_close};

const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\nWsgate-Refusal: credential\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_command_gives_the_token_once_for_many() {
    let files = tempfile::tempdir().unwrap();
    let gateway = Gateway::new().await;
    let count = files.path().join("count");
    let command = format!("echo x >> {}; echo tell-nobody >&2; echo opaque-token", count.display());
    let client = Client::start(&gateway.url(), &["--token-command", &command]).await;
    for _ in 0..3 {
        let _local = client.connect().await;
        assert_eq!(gateway.asked().await.values("authorization"), ["Bearer opaque-token"]);
    }
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n");
    let logs = client.logs.text();
    for secret in ["opaque-token", "tell-nobody", "echo"] {
        assert!(!logs.contains(secret), "{logs}");
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_for_the_next_connection() {
    let files = tempfile::tempdir().unwrap();
    let gateway = Gateway::new().await;
    let count = files.path().join("count");
    let command = format!("echo x >> {0}; wc -l < {0}", count.display());
    let client = Client::start(&gateway.url(), &["--token-command", &command]).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    assert_eq!(asked.values("authorization"), ["Bearer 1"]);
    asked.answer(REFUSED).await;
    is_reset(local).await; // it is final for that connection
    // The next is got in the background: connections go on with the old one until it is there.
    loop {
        let local = client.connect().await;
        let mut asked = gateway.asked().await;
        if asked.values("authorization") == ["Bearer 2"] {
            asked.answer(REFUSED).await;
            is_reset(local).await;
            break;
        }
        asked.grant(&message_and_close(b"hello")).await;
    }
    let _local = client.connect().await;
    assert_eq!(gateway.asked().await.values("authorization"), ["Bearer 2"], "once a minute");
}

#[tokio::test]
async fn a_proxys_401_makes_no_new_token() {
    let files = tempfile::tempdir().unwrap();
    let gateway = Gateway::new().await;
    let count = files.path().join("count");
    let command = format!("echo x >> {0}; wc -l < {0}", count.display());
    let client = Client::start(&gateway.url(), &["--token-command", &command]).await;
    for _ in 0..2 {
        let local = client.connect().await;
        let mut asked = gateway.asked().await;
        assert_eq!(asked.values("authorization"), ["Bearer 1"]);
        asked.answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
        is_reset(local).await;
    }
}

#[tokio::test]
async fn a_command_that_fails_ends_the_start_and_later_one_connection() {
    let files = tempfile::tempdir().unwrap();
    let map = files.path().join("map");
    std::fs::write(&map, "127.0.0.1:0,http://gw/\n").unwrap();
    let flags = ["--token-command", "echo sesame; echo no such user >&2; exit 3"];
    let error = format!("{:#}", configured(&map, &flags).unwrap().first_token().await.unwrap_err());
    assert_eq!(error, "--token-command: the command failed, exit status: 3; run it by hand to see why");

    let gateway = Gateway::new().await;
    let flags = [&flags[..], &["--connect-timeout", "1s"]].concat();
    let client = Client::start(&gateway.url(), &flags).await;
    is_reset(client.connect().await).await;
    let line = client.logs.line("tunnel not opened").await;
    assert!(line.contains("no credential: --token-command: the command failed"), "{line}");
    assert!(gateway.is_left_alone() && !client.logs.text().contains("sesame"));
}

#[tokio::test]
async fn a_file_gives_the_token_that_is_in_it_now() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("token");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "first\n").unwrap();
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &["--token-file", path]).await;
    for (text, sent) in [("first", "first"), ("and second\n", "first"), ("", "first"), ("third\n", "third")] {
        std::fs::write(&file, text).unwrap();
        let _local = client.connect().await;
        assert_eq!(gateway.asked().await.values("authorization"), [format!("Bearer {sent}")]);
    }
    let logs = client.logs.text();
    assert_eq!(logs.matches("the last one is used").count(), 1, "{logs}");
    assert!(!logs.contains("first") && !logs.contains("second"), "{logs}");
}

#[test]
fn another_authorization_contradicts() {
    let files = tempfile::tempdir().unwrap();
    let map = files.path().join("map");
    std::fs::write(&map, "127.0.0.1:0,http://gw/\n").unwrap();
    let map: &Path = &map;
    let token = map.to_str().unwrap();
    for (flags, says) in [
        (["--token-command", "true", "-H", "Authorization: sesame"], "contradicts --token-command"),
        (["--token-file", token, "-H", "Authorization: sesame"], "has characters that no token has"),
    ] {
        let error = format!("{:#}", configured(map, &flags).unwrap_err());
        assert!(error.contains(says) && !error.contains("sesame"), "{error}");
    }
}
