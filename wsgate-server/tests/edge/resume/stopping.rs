//! What becomes of sessions when the gateway stops.

use tunnel::dialect2::{Over, ResetCode, Turn};

use super::ending::is_reset;
use super::world::{NEW, World};
use crate::gateway::soon;

#[tokio::test]
async fn a_session_is_resumed_while_others_are_sent_away() {
    let world = World::start(&[]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    world.gateway.stop.draining.cancel();
    let (head, _) = world.ask("db", NEW).await;
    assert!(head.contains(" 503 ") && head.contains("wsgate-refusal: draining\r\n"), "{head}");
    client.resume().await.unwrap();
    client.exchange(&mut far, b"again").await;
    world.gateway.stop.now.cancel();
    let told = client.turn().await;
    assert_eq!(told, Turn::Over(Over::ResetByPeer(ResetCode::STOPPING, String::new())));
    assert!(is_reset(&mut far).await);
    soon(world.gateway.running).await.unwrap();
}

#[tokio::test]
async fn the_process_waits_for_sessions_that_wait() {
    let world = World::start(&["--resume-grace", "1s"]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    world.gateway.stop.draining.cancel();
    assert!(is_reset(&mut far).await);
    world.audits(&["open", "detach", "expire", "close"]).await;
    soon(world.gateway.running).await.unwrap();
}

#[tokio::test]
async fn a_session_that_waits_ends_at_the_deadline() {
    let world = World::start(&[]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    world.audited(2).await;
    world.gateway.stop.draining.cancel();
    world.gateway.stop.now.cancel();
    assert!(is_reset(&mut far).await);
    let lines = world.audits(&["open", "detach", "close"]).await;
    assert_eq!(lines[2]["why"], "stopped");
}
