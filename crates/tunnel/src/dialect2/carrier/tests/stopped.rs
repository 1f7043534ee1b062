//! Sessions that are ended though they are healthy.

use super::*;

#[tokio::test(start_paused = true)]
async fn limits_and_stopping_are_told_to_the_peer() {
    let stop = CancellationToken::new();
    let limits = |idle, lifetime| Settings { limits: Limits { idle, lifetime }, ..settings() };
    let cases = [
        (limits(Some(10 * SECOND), None), Why::Idle, 18),
        (limits(None, Some(12 * SECOND)), Why::Lifetime, 12),
        (Settings { stop: stop.clone(), ..settings() }, Why::Stopped, 30),
    ];
    tokio::spawn(async move {
        sleep(60 * SECOND).await; // the cases run one after the other
        stop.cancel();
    });
    for (settings_here, why, seconds) in cases {
        let begun = Instant::now();
        let (client, server) = pair_with(1024, true, settings(), settings_here);
        let (mut client, server) = (client.run(), server.run());
        sleep(8 * SECOND).await;
        client.far.write_all(b"x").await.unwrap();
        let resets = (client.reset.clone(), server.reset.clone());
        let (here, there) = tokio::join!(server.ended(), client.ended());
        assert_eq!((here.by, &here.why), (Side::Here, &why));
        assert_eq!((there.by, &there.why), (Side::Backend, &why));
        assert!(resets.0.load(Ordering::SeqCst) && resets.1.load(Ordering::SeqCst));
        assert_eq!(begun.elapsed().as_secs(), seconds, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_blocked_peer() {
    let stopping = Settings { stop: CancellationToken::new(), ..settings() };
    let stop = stopping.stop.clone();
    let (client, server) = pair_with(100, true, settings(), stopping);
    let mut server = server.run();
    let _ = timeout(SECOND, server.far.write_all(&[1; 100_000])).await;
    let begun = Instant::now();
    stop.cancel();
    let reset = server.reset.clone();
    assert_eq!(server.ended().await.why, Why::Stopped);
    assert!(reset.load(Ordering::SeqCst));
    assert!(begun.elapsed() <= STOP + Duration::from_millis(2), "{:?}", begun.elapsed());
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_once_the_session_is_over() {
    let (client, mut server) = pair(100);
    let _ = timeout(SECOND, server.far.write_all(&[1; 100_000])).await;
    let reading = async { server.carrier.over(&mut server.websocket).await };
    assert!(timeout(SECOND, reading).await.is_err());
    server.carrier.session().reset(ResetCode::OPERATOR, "by name");
    let begun = Instant::now();
    let reset = server.reset.clone();
    let server = server.run();
    sleep(Duration::from_millis(1)).await;
    assert!(reset.load(Ordering::SeqCst), "the local socket does not wait for the farewell");
    assert_eq!(server.ended().await.why, Why::Ended("ended by an operator"));
    assert!(begun.elapsed() <= 10 * SECOND, "{:?}", begun.elapsed());
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_websocket_is_ended_all_the_same() {
    let stop = CancellationToken::new();
    let limits = |idle| Settings { limits: Limits { idle, lifetime: None }, ..settings() };
    let stopping = Settings { stop: stop.clone(), ..settings() };
    stop.cancel();
    for (settings_here, code) in
        [(limits(Some(10 * SECOND)), ResetCode::IDLE), (stopping, ResetCode::STOPPING)]
    {
        let (_client, mut server) = pair_with(1000, true, settings(), settings_here);
        let over = timeout(10 * SECOND, server.carrier.detached()).await.unwrap();
        assert_eq!(over, Over::Reset(code, String::new()));
        assert!(server.reset.load(Ordering::SeqCst));
    }
}
