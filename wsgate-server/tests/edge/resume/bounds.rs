//! How many sessions may wait for their clients, and who goes first.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{resuming, said};
use super::ending::is_reset;
use super::world::{NEW, World};
use crate::gateway::soon;

/// A client that reads so far, and then is gone.
const SENT: &[u8] = b"never confirmed";

#[tokio::test]
async fn a_session_for_which_there_is_no_room_ends_with_its_websocket() {
    for flags in [["--max-detached", "0"], ["--max-detached-bytes", "1KiB"]] {
        let world = World::start(&flags).await;
        let (head, mut stream) = world.ask("db", NEW).await;
        let mut far = world.accept().await;
        far.write_all(SENT).await.unwrap();
        let mut got = Vec::new();
        while !got.ends_with(SENT) {
            assert!(soon(stream.read_buf(&mut got)).await.unwrap() > 0);
        }
        drop(stream);
        assert!(is_reset(&mut far).await);
        let lines = world.audits(&["open", "detach-refused", "close"]).await;
        assert_eq!(lines[2]["why"], "out of memory budget");
        let (head, _) = world.ask("db", &resuming(&said(&head).unwrap(), 0, 1)).await;
        assert!(head.contains(" 410 ") && head.contains("wsgate-refusal: gone\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_users_longest_session_makes_room_for_the_next() {
    // A quarter of four is one.
    let world = World::with_users(&["--max-detached", "4"]).await;
    let (mut first, mut first_far) = world.open_as("alice").await;
    let (mut second, mut second_far) = world.open_as("alice").await;
    let (mut other, mut other_far) = world.open_as("bob").await;
    first.exchange(&mut first_far, b"first").await;
    second.exchange(&mut second_far, b"second").await;
    other.exchange(&mut other_far, b"other").await;
    first.cut();
    world.audited(4).await;
    other.cut();
    world.audited(5).await;
    second.cut();
    assert!(is_reset(&mut first_far).await);
    for client in [&mut second, &mut other] {
        client.resume().await.unwrap();
    }
    second.exchange(&mut second_far, b"again").await;
    other.exchange(&mut other_far, b"again").await;
}

#[tokio::test]
async fn a_user_who_is_stopped_by_a_limit_gives_up_a_session_that_waits() {
    let world = World::with_users(&["--max-connections-per-user", "1"]).await;
    let (mut first, mut far) = world.open_as("alice").await;
    first.exchange(&mut far, b"hello").await;
    let new = format!("{}{NEW}", world.token("alice"));
    let (head, _) = world.ask("db", &new).await;
    assert!(head.contains(" 429 ") && head.contains("wsgate-refusal: limit\r\n"), "{head}");
    first.exchange(&mut far, b"it has a client").await;
    first.cut();
    world.audited(3).await; // open, refused, detach
    let (head, _kept) = world.ask("db", &new).await;
    assert!(head.contains(" 101 "), "{head}");
    assert!(is_reset(&mut far).await);
    let (head, _) =
        world.ask("db", &format!("{}{}", world.token("alice"), resuming(&first.agreed, 0, 1))).await;
    assert!(head.contains(" 410 ") && head.contains("wsgate-refusal: gone\r\n"), "{head}");
}

#[tokio::test]
async fn a_session_that_waits_keeps_its_place() {
    let world = World::start(&["--max-connections", "1"]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    world.audited(2).await;
    let (head, _) = world.ask("db", NEW).await;
    assert!(head.contains(" 503 ") && head.contains("wsgate-refusal: limit\r\n"), "{head}");
    client.resume().await.expect("a resume needs none");
    client.exchange(&mut far, b"again").await;
}

#[tokio::test]
async fn a_client_that_never_said_a_word_is_not_waited_for_as_long() {
    let world = World::start(&[]).await;
    let (_, stream) = world.ask("db", NEW).await;
    let mut far = world.accept().await;
    drop(stream);
    world.audits(&["open", "detach"]).await;
    tokio::time::pause();
    assert!(is_reset(&mut far).await, "within ten seconds");
}
