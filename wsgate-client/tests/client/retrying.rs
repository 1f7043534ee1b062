//! Attempts that fail for now, and what ends them.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, is_reset};
use crate::gateway::{Down, Gateway, message_and_close};
use crate::soon;

async fn reads_hello(mut local: tokio::net::TcpStream) {
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn a_gateway_that_is_not_up_yet_is_waited_for() {
    let down = Down::new();
    let client = Client::start(&format!("http://{}/", down.address()), &[]).await;
    let local = client.connect().await;
    let line = client.logs.line("trying again").await;
    assert!(line.contains("connection failed: Connection refused"), "{line}");
    let gateway = down.up();
    gateway.asked().await.grant(&message_and_close(b"hello")).await;
    reads_hello(local).await;
}

#[tokio::test]
async fn refusals_of_the_moment_are_repeated() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let local = client.connect().await;
    let mut keys = Vec::new();
    for answer in [
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nWsgate-Refusal: draining\r\nRetry-After: 0\r\n\
         Content-Length: 0\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nWsgate-Refusal: limit\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut asked = gateway.asked().await;
        asked.answer(answer).await;
        keys.push(asked.values("sec-websocket-key")[0].to_owned());
    }
    let refused = Instant::now();
    let mut asked = gateway.asked().await;
    assert!(refused.elapsed() > Duration::from_millis(900), "Retry-After");
    keys.push(asked.values("sec-websocket-key")[0].to_owned());
    asked.grant(&message_and_close(b"hello")).await;
    reads_hello(local).await;
    assert!(client.logs.line("tunnel opened").await.contains("attempts=4"));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4, "every attempt has its own key");
}

#[tokio::test]
async fn the_budget_ends_the_attempts() {
    let down = Down::new();
    let client = Client::start(&format!("http://{}/", down.address()), &["--connect-timeout", "2s"]).await;
    let begun = Instant::now();
    is_reset(client.connect().await).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed()); // and not a minute
    let line = client.logs.line("tunnel not opened").await;
    assert!(line.contains("Connection refused") && !line.contains("attempts=1 "), "{line}");
}

#[tokio::test]
async fn the_budget_ends_a_silence() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &["--connect-timeout=1s"]).await;
    let local = client.connect().await;
    let mut asked = gateway.asked().await;
    is_reset(local).await;
    let line = client.logs.line("tunnel not opened").await;
    assert!(line.contains("the gateway did not answer within"), "{line}");
    assert_eq!(soon(asked.stream.read(&mut [0])).await.unwrap(), 0, "it has hung up");
}

#[tokio::test]
async fn an_application_that_resets_ends_the_attempts() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut local = client.connect().await;
    local.write_all(b"unread").await.unwrap();
    let mut asked = gateway.asked().await;
    local.set_zero_linger().unwrap();
    drop(local);
    assert_eq!(soon(asked.stream.read(&mut [0])).await.unwrap(), 0, "it has hung up");
    let line = client.logs.line("tunnel not opened").await;
    assert!(line.starts_with("INFO") && line.contains("the application is gone"), "{line}");
}

#[tokio::test]
async fn an_application_that_only_shuts_down_is_served() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut local = client.connect().await;
    local.write_all(b"question").await.unwrap();
    local.shutdown().await.unwrap();
    let mut asked = gateway.asked().await;
    asked.answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    assert_eq!(asked.frame().await, (0x82, b"question".to_vec()));
    asked.stream.write_all(&message_and_close(b"hello")).await.unwrap();
    reads_hello(local).await;
}
