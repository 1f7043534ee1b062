//! What is carried, over one WebSocket after another.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tunnel::dialect2::{Cut, Over, Turn};

use super::client::{read, resuming};
use super::world::{NEW, World};
use crate::gateway::soon;

/// So much is on its way in each direction: more than the windows and the sockets take.
const MUCH: usize = 24 << 20;

fn stream(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..MUCH).map(next).collect()
}

#[tokio::test]
async fn what_is_on_its_way_in_both_directions_survives_cuts() {
    let world = World::start(&[]).await;
    let (mut client, far) = world.open().await;
    let (up, down) = (stream(1), stream(2));
    let (mut far_reads, mut far_writes) = far.into_split();
    let at_far = tokio::spawn({
        let (up, down) = (up.clone(), down.clone());
        async move {
            let mut got = vec![0; MUCH];
            let (read, written) = tokio::join!(far_reads.read_exact(&mut got), far_writes.write_all(&down));
            read.unwrap();
            written.unwrap();
            assert!(got == up);
            (far_reads, far_writes)
        }
    });
    let (app_to, mut app_at) = (MUCH / 4, 0);
    let mut sent = 0;
    for part in 0..4 {
        if part > 0 {
            client.cut();
            client.resume().await.unwrap();
        }
        client
            .during(async |app| {
                let (mut reads, mut writes) = app.split();
                let mut got = vec![0; app_to];
                let reading = reads.read_exact(&mut got);
                let writing = writes.write_all(&up[sent..sent + app_to]);
                let (read, written) = tokio::join!(reading, writing);
                read.unwrap();
                written.unwrap();
                assert!(got == down[app_at..app_at + app_to]);
            })
            .await;
        (app_at, sent) = (app_at + app_to, sent + app_to);
    }
    let (mut far_reads, mut far_writes) = client.during(async |_| at_far.await.unwrap()).await;
    client
        .during(async |app| {
            app.shutdown().await.unwrap();
            assert_eq!(soon(far_reads.read(&mut [0; 1])).await.unwrap(), 0, "half-close");
            far_writes.write_all(b"still").await.unwrap();
            assert_eq!(read(app, 5).await, b"still");
        })
        .await;
    drop((far_reads, far_writes));
    assert_eq!(client.turn().await, Turn::Over(Over::Finished));
    assert_eq!(soon(client.app.read(&mut [0; 1])).await.unwrap(), 0);
    let events = ["open", "detach", "resume", "detach", "resume", "detach", "resume", "close"];
    let lines = world.audits(&events).await;
    assert!(lines.iter().all(|line| line["session"] == lines[0]["session"] && line["dialect"] == 2));
    let close = &lines[7];
    assert_eq!(
        (&close["resumes"], &close["why"], &close["by"]),
        (&3.into(), &"end of file".into(), &"client".into())
    );
    assert_eq!((&close["up"], &close["down"]), (&MUCH.into(), &(MUCH + 5).into()));
}

#[tokio::test]
async fn what_is_agreed_on_is_the_lesser_of_both() {
    let lifetime = ["--window", "128KiB", "--resume-grace", "15s", "--websocket-lifetime", "1h"];
    for (flags, asked, answered) in [
        (&[][..], NEW, "2; window=1048576; session=S; instance=I; grace=120"),
        (&lifetime, NEW, "2; window=131072; session=S; instance=I; grace=15; lifetime=3600"),
        (&lifetime, "Wsgate-Tunnel: 2; window=65536; resume=no\r\n", "2; window=65536; resume=no"),
        (&["--resume-grace", "0"], NEW, "2; window=1048576; resume=no"),
        (&["--no-resume"], NEW, "2; window=1048576; resume=no"),
        (&[], "Wsgate-Tunnel: 3; window=1\r\n", ""),
        (&[], "", ""),
    ] {
        let world = World::start(flags).await;
        let (head, _stream) = world.ask("db", asked).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let line = head.lines().find_map(|line| line.strip_prefix("wsgate-tunnel: ")).unwrap_or_default();
        let value = line.split("; ").map(|part| match part.split_once('=') {
            Some(("session", id)) if id.len() == 22 => "session=S",
            Some(("instance", id)) if id.len() == 8 => "instance=I",
            _ => part,
        });
        assert_eq!(value.collect::<Vec<_>>().join("; "), answered, "{flags:?} {asked}");
    }
}

#[tokio::test]
async fn a_second_websocket_takes_over_while_the_first_one_lives() {
    let world = World::start(&[]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    let mut old = client.websocket.take().unwrap();
    client.resume().await.unwrap();
    client.exchange(&mut far, b"again").await;
    let turn = soon(client.carrier.over(&mut old)).await;
    assert_eq!(turn, Turn::Cut(Cut::Closed(4002)));
    client.exchange(&mut far, b"and again").await;
    let lines = world.audits(&["open", "resume"]).await;
    assert_eq!(lines[1]["upstream"], lines[0]["upstream"]);
}

#[tokio::test]
async fn a_request_that_is_repeated_takes_over_again_and_an_older_one_is_stale() {
    let world = World::start(&[]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    client.cut();
    far.write_all(b"meanwhile").await.unwrap();
    // Three answers that the client never sees: the first two to the same request, sent twice by a balancer.
    let mut lost = Vec::new();
    for attempt in [1, 1, 2] {
        let (head, stream) = world.ask("db", &resuming(&client.agreed, 5, attempt)).await;
        assert!(
            head.starts_with("HTTP/1.1 101 ") && head.contains("wsgate-tunnel: 2; received=5\r\n"),
            "{head}"
        );
        lost.push(stream);
    }
    let (head, _) = world.ask("db", &resuming(&client.agreed, 5, 1)).await;
    assert!(head.starts_with("HTTP/1.1 409 ") && head.contains("wsgate-refusal: stale\r\n"), "{head}");
    client.attempt = 2;
    client.resume().await.unwrap();
    client.during(async |app| assert_eq!(read(app, 9).await, b"meanwhile")).await;
    client.exchange(&mut far, b"again").await;
}

#[tokio::test]
async fn a_credential_is_asked_for_again() {
    let world = World::start(&["--reauth-interval", "200ms"]).await;
    let (mut client, mut far) = world.open().await;
    client.exchange(&mut far, b"hello").await;
    for _ in 0..2 {
        assert_eq!(client.turn().await, Turn::Cut(Cut::Closed(4004)));
        client.resume().await.unwrap();
        client.exchange(&mut far, b"again").await;
    }
}
