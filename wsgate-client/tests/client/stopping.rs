//! Listening and stopping.

use std::io::ErrorKind;

use daemon::stop::How;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use wsgate_client::run;

use crate::client::{Client, bound, is_reset};
use crate::gateway::{Gateway, message_and_close};
use crate::soon;

#[tokio::test]
async fn draining_closes_the_listener_and_keeps_the_tunnels() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let mut open = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    client.logs.line("tunnel opened").await;
    let waiting = client.connect().await;
    let mut slow = gateway.asked().await; // still being set up
    client.stop.draining.cancel();
    soon(async {
        while TcpStream::connect(client.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = TcpStream::connect(client.address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    open.write_all(b"alive").await.unwrap();
    assert_eq!(asked.frame().await, (0x82, b"alive".to_vec()));
    slow.grant(&message_and_close(b"late")).await;
    for (asked, mut local, expected) in [(None, waiting, "late"), (Some(asked), open, "last")] {
        if let Some(mut asked) = asked {
            asked.stream.write_all(&message_and_close(b"last")).await.unwrap();
        }
        let mut text = String::new();
        soon(local.read_to_string(&mut text)).await.unwrap();
        assert_eq!(text, expected);
    }
    assert_eq!(client.ended().await, How::AllEnded);
}

#[tokio::test]
async fn stopping_ends_what_is_open_and_what_is_being_opened() {
    let gateway = Gateway::new().await;
    let client = Client::start(&gateway.url(), &[]).await;
    let open = client.connect().await;
    let mut asked = gateway.asked().await;
    asked.grant(b"").await;
    client.logs.line("tunnel opened").await;
    let waiting = client.connect().await;
    let _slow = gateway.asked().await;
    client.stop.draining.cancel();
    client.stop.now.cancel();
    assert_eq!(asked.frame().await, (0x88, vec![0x03, 0xe9]));
    is_reset(open).await;
    is_reset(waiting).await;
    client.logs.line("tunnel not opened: stopped").await;
    assert!(client.logs.line("tunnel closed").await.starts_with("INFO"));
    assert_eq!(client.ended().await, How::SecondSignal);
}

#[tokio::test]
async fn a_unix_socket_is_listened_on() {
    let gateway = Gateway::new().await;
    let files = tempfile::tempdir().unwrap();
    let (map, path) = (files.path().join("map"), files.path().join("s"));
    std::fs::write(&map, format!("unix:{},{}", path.display(), gateway.url())).unwrap();
    let (config, forwards) = bound(&map, &[]).await.unwrap();
    let stop = daemon::stop::Stop::manual();
    let running = tokio::spawn(run(config, forwards, None, stop.clone(), None));
    let mut local = UnixStream::connect(&path).await.unwrap();
    gateway.asked().await.grant(&message_and_close(b"hello")).await;
    let mut text = String::new();
    soon(local.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
    drop(local);
    stop.draining.cancel();
    soon(running).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn one_address_that_is_taken_ends_it_with_its_line() {
    let holder = Gateway::new().await;
    let taken = holder.address();
    let files = tempfile::tempdir().unwrap();
    let (map, path) = (files.path().join("map"), files.path().join("s"));
    let lines = format!("unix:{},http://gw/\n\n{taken},http://gw/\n", path.display());
    std::fs::write(&map, lines).unwrap();
    let error = format!("{:#}", bound(&map, &[]).await.unwrap_err());
    assert!(error.starts_with(&format!("{}:3: cannot listen on {taken}", map.display())), "{error}");
    assert!(!path.exists(), "the first is bound no more");
}
