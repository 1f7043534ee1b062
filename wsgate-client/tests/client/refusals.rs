//! Answers that are final: one attempt, one line, and a reset for the application.

use tokio::io::AsyncWriteExt;

use crate::client::{Client, is_reset};
use crate::gateway::Gateway;

#[tokio::test]
async fn a_refusal_is_shown_and_not_repeated() {
    let body = |status: &str, headers: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    for (answer, shown) in [
        (
            body("403 Forbidden", "Wsgate-Refusal: forbidden\r\n", "not allowed to reach mysql\n"),
            "gateway answered 403 Forbidden: not allowed to reach mysql",
        ),
        (
            body("502 Bad Gateway", "Wsgate-Refusal: destination-refused\r\n", "mysql could not be reached"),
            "gateway answered 502 Bad Gateway: mysql could not be reached",
        ),
        (body("401 No", "Wsgate-Refusal: credential\r\n", ""), "gateway answered 401 Unauthorized"),
        (
            body("302 Found", "Location: https://login.example.com/?state=sesame\r\n", "<a href=x>"),
            "gateway answered 302 Found, which leads to https://login.example.com/",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhello\x1b[2J".into(), "gateway answered 200 OK: hello[2J"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".into(), "the gateway gave no HTTP answer: invalid HTTP version"),
        (String::new(), "the gateway gave no HTTP answer: connection closed before message completed"),
    ] {
        let gateway = Gateway::new().await;
        let client = Client::start(&gateway.url(), &[]).await;
        let local = client.connect().await;
        let mut asked = gateway.asked().await;
        asked.answer(&answer).await;
        drop(asked);
        is_reset(local).await;
        let line = client.logs.line("tunnel not opened").await;
        assert!(line.starts_with("WARN") && line.contains("attempts=1"), "{line}");
        assert!(line.contains(shown) && !line.contains("sesame"), "{line}");
        assert!(gateway.is_left_alone(), "{shown}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.answer("HTTP/1.1 403 Forbidden\r\n\r\n").await;
    while asked.stream.write_all(&[b'x'; 4096]).await.is_ok() {} // until it hangs up
    is_reset(local).await;
    let line = client.logs.line("tunnel not opened").await;
    assert!(line.ends_with(&format!(": {}", "x".repeat(200))), "{line}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nwhat has come").await;
    is_reset(local).await;
    assert!(client.logs.line("tunnel not opened").await.ends_with("403 Forbidden: what has come"));
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.answer("HTTP/1.1 101 Switching Protocols\r\nX: ").await;
    while asked.stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    is_reset(local).await;
    assert!(client.logs.line("tunnel not opened").await.contains("no HTTP answer"));
}
