//! What else may be in the directory.

use std::os::unix::net::UnixListener as Bound;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tunnel::header::Header;
use tunnel::session_id::SessionId;

use super::{Two, come_back, expect, resuming};
use crate::gateway::soon;

/// Answers each question with this.
fn liar(listener: UnixListener, answer: &'static str) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
}

#[tokio::test]
async fn dead_silent_and_lying_neighbours_neither_stop_nor_delay_a_resume() {
    let two = Two::start(&[]).await;
    let at = |name: &str| two.dir.join(name);
    drop(Bound::bind(at("1.sock")).unwrap());
    drop(Bound::bind(at("status.sock")).unwrap());
    let _silent = Bound::bind(at("2.sock")).unwrap();
    for (name, answer) in [
        ("3.sock", "garbage\n"),
        ("4.sock", "{\"v\":1,\"instance\":7}\n"),
        ("5.sock", "{\"v\":9,\"instance\":7,\"received\":5}\n"),
        ("6.sock", "{\"v\":1,\"instance\":7,\"refused\":\"unknown\",\"more\":1}\n"),
    ] {
        liar(UnixListener::bind(at(name)).unwrap(), answer);
    }
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    come_back(&mut client).await.unwrap();
    client.exchange(&mut far, b"again").await;

    let begun = Instant::now();
    let unknown = Header { session: Some(SessionId::random()), ..client.agreed };
    let (head, _) = two.new.ask("db", &resuming(&unknown, 0, 1)).await;
    expect(&head, "410", "gone");
    let took = begun.elapsed();
    assert!((Duration::from_millis(100)..Duration::from_secs(2)).contains(&took), "{took:?}");
    assert!(!at("1.sock").exists(), "nobody answers on it");
    assert!(at("status.sock").exists(), "it is none of ours");
}

#[tokio::test]
async fn what_is_no_question_is_not_answered() {
    let two = Two::start(&[]).await;
    let (mut client, mut far) = two.open().await;
    client.exchange(&mut far, b"hello").await;
    let long = format!("{{\"v\":1,\"user\":\"{}", "x".repeat(300 << 10));
    for text in ["garbage\n", "{}\n", "{\"v\":1}\n", &long, "{\"v\":1", ""] {
        let mut stream = UnixStream::connect(two.socket()).await.unwrap();
        let _ = stream.write_all(text.as_bytes()).await; // it may have closed already
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    client.exchange(&mut far, b"and still").await;
}
