//! WebSockets that are replaced before they are cut.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use tunnel::dialect2::Over;

use crate::owner::{Manner, Order, foreign, refusal};
use crate::resuming::{echoes, open};

#[tokio::test(start_paused = true)]
async fn a_websocket_is_replaced_before_it_is_too_old() {
    let manner = Manner { lifetime: Some(Duration::from_secs(100)), ..Manner::default() };
    let (client, mut owner, mut local) = open(manner, &[]).await;
    for attempt in 1..5 {
        let begun = Instant::now();
        assert_eq!(owner.resume().await, (8 * u64::from(attempt), attempt));
        let age = begun.elapsed().as_secs_f64();
        assert!((69.9..85.1).contains(&age), "{age}");
        echoes(&mut local, &mut owner).await;
    }
    let logs = client.logs.text();
    assert_eq!(logs.matches("tunnel handed over").count(), 4, "{logs}");
    assert!(!logs.contains("tunnel cut"), "{logs}");
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_under_load_loses_nothing() {
    let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
    let (mut up, mut down) = local.split();
    let payload: Vec<u8> = (0..1_500_000_u32).map(|at| (at.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect();
    let sending = async {
        for piece in payload.chunks(10_000) {
            down.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
        down.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (answer, mut back) = (payload.clone(), Vec::new());
    for within in [4, 4] {
        owner.order(Order::GoAway(within));
    }
    let (mut from, mut to) = owner.destination.split();
    let answering = async {
        for piece in answer.chunks(9_000) {
            to.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(15)).await;
        }
        to.shutdown().await.unwrap();
    };
    let (_, _, a, b) =
        tokio::join!(sending, answering, from.read_to_end(&mut got), up.read_to_end(&mut back));
    assert!(a.is_ok() && b.is_ok());
    assert!(got == payload && back == answer, "{} and {} bytes", got.len(), back.len());
    let logs = client.logs.text();
    assert!(logs.contains("tunnel handed over") && !logs.contains("tunnel cut"), "{logs}");
    assert_eq!(owner.over().await, Some(Over::Finished));
}

#[tokio::test(start_paused = true)]
async fn while_the_old_one_lives_no_refusal_ends_anything() {
    let manner = Manner::answering([
        refusal("410 Gone", "gone", ""),
        refusal("401 Unauthorized", "credential", ""),
        foreign("502 Bad Gateway"),
        refusal("403 Forbidden", "forbidden", ""),
        refusal("409 Conflict", "stale", ""),
        refusal("409 Conflict", "stale", ""),
    ]);
    let (client, mut owner, mut local) = open(manner, &[]).await;
    owner.order(Order::GoAway(60));
    let mut before = None;
    for pause in [0, 5, 10, 20, 40, 60, 60] {
        let (at, _) = owner.upgrade().await;
        if let Some(before) = before.replace(at) {
            assert_eq!(at.duration_since(before).as_secs(), pause);
        }
        echoes(&mut local, &mut owner).await;
    }
    sleep(Duration::from_secs(1)).await;
    echoes(&mut local, &mut owner).await;
    let logs = client.logs.text();
    assert_eq!(logs.matches("tunnel handed over").count(), 1, "{logs}");
    assert!(!logs.contains("tunnel cut"), "{logs}");
}

#[tokio::test(start_paused = true)]
async fn the_age_at_which_a_balancer_cuts_is_learnt() {
    let (client, mut owner, mut local) = open(Manner::default(), &[]).await;
    for attempt in 1..=2 {
        sleep(Duration::from_secs(30)).await;
        owner.order(Order::Cut);
        assert_eq!(owner.resume().await.1, attempt);
    }
    let begun = Instant::now();
    assert_eq!(owner.resume().await.1, 3);
    let age = begun.elapsed().as_secs_f64();
    assert!((20.9..25.7).contains(&age), "{age}");
    echoes(&mut local, &mut owner).await;
    assert!(client.logs.text().contains("tunnel handed over"));
}
