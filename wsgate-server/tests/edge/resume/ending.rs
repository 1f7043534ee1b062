//! How sessions end, and what those learn of it who come back later.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::dialect2::{Over, ResetCode, Turn};

use super::client::{read, resuming};
use super::world::World;
use crate::gateway::soon;

/// Whether the peer has reset the connection.
pub(super) async fn is_reset(stream: &mut TcpStream) -> bool {
    let end = soon(stream.read_to_end(&mut Vec::new())).await;
    end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// Has the socket reset its connection when it is dropped.
pub(super) fn reset(stream: TcpStream) {
    relay::Leg::reset_on_drop(&mut relay::Socket::from(stream));
}

#[tokio::test]
async fn nobody_comes_back_and_the_destination_is_reset() {
    let world = World::start(&["--resume-grace", "300ms"]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    assert!(is_reset(&mut far).await);
    let lines = world.audits(&["open", "detach", "expire", "close"]).await;
    assert_eq!((&lines[3]["why"], &lines[3]["by"]), (&"grace over".into(), &"here".into()));
    let refused = client.resume().await.unwrap_err();
    assert!(refused.contains(" 410 ") && refused.contains("wsgate-refusal: gone\r\n"), "{refused}");
}

#[tokio::test]
async fn without_resume_a_cut_is_the_end() {
    let world = World::start(&["--no-resume"]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.websocket = None;
    assert!(is_reset(&mut far).await);
    let lines = world.audits(&["open", "close"]).await;
    assert_eq!(lines[1]["resumes"], 0);
}

#[tokio::test]
async fn how_a_session_ended_is_remembered() {
    let world = World::start(&[]).await;
    let (mut finished, mut far) = world.open().await;
    finished.exchange(&mut far, b"hello").await;
    let end = finished.during(async |app| app.shutdown().await);
    end.await.unwrap();
    finished.during(async |_| assert_eq!(soon(far.read(&mut [0; 1])).await.unwrap(), 0)).await;
    drop(far);
    assert_eq!(finished.turn().await, Turn::Over(Over::Finished));

    let (mut broken, mut far) = world.open().await;
    broken.exchange(&mut far, b"hello").await;
    reset(far);
    let told = broken.turn().await;
    assert!(matches!(told, Turn::Over(Over::ResetByPeer(ResetCode::LOCAL, _))), "{told:?}");

    world.audits(&["open", "close", "open", "close"]).await;
    for (client, word) in [(&finished, "finished"), (&broken, "reset")] {
        let (head, _) = world.ask("db", &resuming(&client.agreed, 0, 9)).await;
        assert!(head.contains(" 410 ") && head.contains(&format!("wsgate-refusal: {word}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_destination_that_ends_meanwhile_is_heard_to_its_last_byte() {
    let world = World::start(&[]).await;
    for in_order in [true, false] {
        let (mut client, mut far) = world.open().await;
        client.exchange(&mut far, b"hello").await;
        client.cut();
        far.write_all(b"last words").await.unwrap();
        if in_order {
            drop(far)
        } else {
            reset(far)
        }
        client.resume().await.unwrap();
        if in_order {
            client.during(async |app| assert_eq!(read(app, 10).await, b"last words")).await;
            client.during(async |app| assert_eq!(soon(app.read(&mut [0; 1])).await.unwrap(), 0)).await;
            client.during(async |app| app.shutdown().await.unwrap()).await;
            assert_eq!(client.turn().await, Turn::Over(Over::Finished));
        } else {
            let told = client.turn().await;
            assert!(matches!(told, Turn::Over(Over::ResetByPeer(ResetCode::LOCAL, _))), "{told:?}");
            assert!(is_reset(&mut client.app).await);
        }
    }
    let events = ["open", "detach", "resume", "close"];
    world.audits(&[events, events].concat()).await;
}
