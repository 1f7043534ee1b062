//! A healthy tunnel that is ended all the same.

use super::*;

const IDLE_10: Limits = Limits { idle: Some(Duration::from_secs(10)), lifetime: None };
const LIFETIME_60: Limits = Limits { idle: None, lifetime: Some(Duration::from_secs(60)) };

#[tokio::test(start_paused = true)]
async fn a_tunnel_that_carries_nothing_is_ended_when_it_has_been_idle() {
    for role in [Role::Client, Role::Server] {
        let mut rig = rig_limited(role, 1024, IDLE_10);
        let begun = Instant::now();
        for second in [8, 16] {
            tokio::time::sleep_until(begun + Duration::from_secs(second)).await;
            match second {
                8 => rig.send(b"x").await,
                _ => rig.local.write_all(b"x").await.unwrap(),
            }
        }
        // Pings and pongs are not payload.
        tokio::time::sleep_until(begun + Duration::from_secs(20)).await;
        rig.send_control(Opcode::Ping, b"").await;
        assert_eq!(rig.receive_all().await, (b"x".to_vec(), Some(End::Close(1001))));
        assert_eq!(begun.elapsed().as_secs(), 26, "ten seconds after the last byte");
        assert!(rig.resets().0, "the local socket must not see an orderly end");
        rig.send_control(Opcode::Close, &1001u16.to_be_bytes()).await;
        let ended = rig.outcome().await;
        assert_eq!((ended.by, ended.why), (Side::Here, Why::Idle));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_tunnel_is_ended_at_its_maximum_lifetime() {
    let mut rig = rig_limited(Role::Server, 1024, LIFETIME_60);
    let begun = Instant::now();
    let mut got = [0];
    while begun.elapsed() < Duration::from_millis(59_500) {
        rig.send(b"x").await;
        rig.local.read_exact(&mut got).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(rig.receive_all().await.1, Some(End::Close(1001)));
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert!(rig.resets().0);
    let ended = rig.outcome().await;
    assert_eq!((ended.by, ended.why), (Side::Here, Why::Lifetime));
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_whose_ends_take_nothing_is_ended_too() {
    let limits = [(IDLE_10, Why::Idle, 10), (LIFETIME_60, Why::Lifetime, 60)];
    for (limits, why, after) in limits {
        let mut rig = rig_limited(Role::Server, 64, limits);
        rig.send(&[1; 100]).await; // more than the local pipe takes, and nobody reads it
        let begun = Instant::now();
        assert_eq!(rig.receive_all().await.1, Some(End::Close(1001)), "{why:?}");
        assert_eq!(begun.elapsed().as_secs(), after, "{why:?}");
        let resets = rig.local_reset.clone();
        let Rig { local, wire, ended, .. } = rig;
        drop(wire);
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
        assert_eq!((ended.by, ended.why), (Side::Here, why));
        assert!(resets.load(Ordering::SeqCst));
        drop(local);
    }
}

#[tokio::test(start_paused = true)]
async fn without_limits_and_with_endless_ones_a_tunnel_lives_on() {
    let endless = Limits { idle: Some(Duration::MAX), lifetime: Some(Duration::MAX) };
    for limits in [Limits::default(), endless] {
        let mut rig = rig_limited(Role::Server, 64 * 1024, limits);
        tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
        rig.send(b"x").await;
        rig.local.read_exact(&mut [0]).await.unwrap();
        assert!(!rig.ended.is_finished());
    }
}
