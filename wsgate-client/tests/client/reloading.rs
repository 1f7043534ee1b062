//! Another map, other files, while tunnels are open.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::certificates::Authority;
use crate::client::Client;
use crate::gateway::{Asked, Gateway, message_and_close};
use crate::soon;

async fn reads(mut local: impl tokio::io::AsyncRead + Unpin, expected: &str) {
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, expected);
}

#[tokio::test]
async fn tunnels_stay_and_new_connections_follow_the_new_map() {
    let (old, new) = (Gateway::new().await, Gateway::new().await);
    let kept = Gateway::new().await.address();
    let files = tempfile::tempdir().unwrap();
    let (gone, added) = (files.path().join("gone"), files.path().join("added"));
    let client = Client::start(&old.url(), &[]).await;
    client.remap(&format!("{kept},{}\nunix:{},{}\n", old.url(), gone.display(), old.url()));
    client.logs.line("reloaded").await;
    // The line that was bound at start is gone, two others are there.
    let refused = TcpStream::connect(client.address).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    client.logs.line(&format!("listening address={kept}")).await;
    let mut open = TcpStream::connect(kept).await.unwrap();
    let mut first = old.asked().await;
    first.grant(b"").await;
    let through_gone = UnixStream::connect(&gone).await.unwrap();
    let mut second = old.asked().await;
    second.grant(b"").await;

    client.logs.clear();
    client.remap(&format!("{kept},{}\nunix:{},{}\n", new.url(), added.display(), new.url()));
    client.logs.line("reloaded").await;
    client.logs.line(&format!("listening address=unix:{}", added.display())).await;
    assert!(!gone.exists(), "removed listeners close");
    for local in [TcpStream::connect(kept).await.unwrap()] {
        new.asked().await.grant(&message_and_close(b"new")).await;
        reads(local, "new").await;
    }
    let local = UnixStream::connect(&added).await.unwrap();
    new.asked().await.grant(&message_and_close(b"added")).await;
    reads(local, "added").await;
    assert!(old.is_left_alone());

    open.write_all(b"alive").await.unwrap();
    assert_eq!(first.frame().await, (0x82, b"alive".to_vec()));
    first.stream.write_all(&message_and_close(b"old")).await.unwrap();
    reads(open, "old").await;
    second.stream.write_all(&message_and_close(b"gone")).await.unwrap();
    reads(through_gone, "gone").await;
}

#[tokio::test]
async fn a_bad_map_keeps_the_old_one() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    for (text, says) in [("127.0.0.1:0\n", "map.txt:1: no comma"), ("", "an empty file is refused")] {
        client.logs.clear();
        client.remap(text);
        let line = client.logs.line("not reloaded").await;
        assert!(line.starts_with("ERROR") && line.contains(says), "{line}");
        let local = client.connect().await;
        gateway.asked().await.grant(&message_and_close(b"kept")).await;
        reads(local, "kept").await;
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_bound_when_it_is_free() {
    let gateway = Gateway::new().await;
    let holder = Gateway::new().await;
    let taken = holder.address();
    let client = Client::start(&gateway.url(), &[]).await;
    let url = gateway.url();
    client.remap(&format!("{taken},{url}\n127.0.0.1:0,{url}\n"));
    let line = client.logs.line("not listened on").await;
    assert!(line.contains(&taken.to_string()), "{line}");
    let local = client.connect().await; // the other line is served all the same
    gateway.asked().await.grant(&message_and_close(b"other")).await;
    reads(local, "other").await;
    drop(holder);
    client.logs.line(&format!("listening address={taken}")).await;
    let local = TcpStream::connect(taken).await.unwrap();
    gateway.asked().await.grant(&message_and_close(b"free")).await;
    reads(local, "free").await;
}

#[tokio::test]
async fn another_authority_counts_for_new_connections() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let acceptor = theirs.server("IP:127.0.0.1");
    let gateway = Gateway::new().await;
    let url = format!("https://{}/", gateway.address());
    let client = Client::start(&url, &["--ca", ours.file().to_str().unwrap()]).await;
    let mut local = client.connect().await;
    assert!(soon(acceptor.accept(gateway.connection().await)).await.is_err());
    ours.replace(&theirs);
    client.remap(&format!("# touched\n127.0.0.1:0,{url}\n"));
    client.logs.line("reloaded").await;
    // The same connection waits and gets its tunnel.
    let stream = soon(async {
        loop {
            if let Ok(stream) = acceptor.accept(gateway.connection().await).await {
                break stream;
            }
        }
    })
    .await;
    Asked::read(stream).await.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
}
