use super::*;
use crate::discovery::tests::FakeEngine;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

#[tokio::test]
async fn one_that_was_found_ready_is_not_asked_again() {
    let application = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = application.local_addr().unwrap().port();
    let asked = Arc::<AtomicUsize>::default();
    let counting = asked.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(accepted) = application.accept().await {
            counting.fetch_add(1, Ordering::Relaxed);
            open.push(accepted);
        }
    });
    let engine = FakeEngine::start(&["a"]);
    engine.run("b", &format!("127.0.0.1:1={port}"));
    let labels = vec!["app=web".parse().unwrap()];
    let mut newer = Newer { labels, address: Ok(engine.address()), engine: None, ready: None };
    for _ in 0..3 {
        let sight = newer.look("a", None).await.unwrap();
        assert!(matches!(sight, Sight::Succeeded(_)), "{sight:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
