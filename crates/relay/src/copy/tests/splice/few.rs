//! Pipes that are not there, or few, or of no use: what cannot be spliced is copied.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use super::*;

fn no_descriptor() -> io::Result<Pipe> {
    Err(Errno::MFILE.into())
}

/// Makes one pipe, and no more after that.
fn only_one() -> io::Result<Pipe> {
    static MADE: AtomicBool = AtomicBool::new(false);
    if MADE.swap(true, Ordering::Relaxed) { no_descriptor() } else { Pipe::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pipes_all_is_copied() {
    for (pool, pipes) in
        [(pool_of(0, Pipe::new), 0), (pool_of(8, no_descriptor), 0), (pool_of(8, only_one), 1)]
    {
        let len = 32 * MIB + 5;
        let Bulk { client, backend, ended, .. } = over_tcp(pool).await;
        within(exchange(client, backend, len)).await;
        let ended = outcome(ended).await;
        assert_eq!((ended.up, ended.down, ended.why), (len as u64, len as u64, Why::Eof));
        assert_eq!(pool.level(), (pipes, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_refuses_splice_gets_the_bytes_out_of_the_pipe() {
    let len = 32 * MIB + 5;
    let (client, accepted) = tcp_pair().await;
    let (backend, dialled) = tcp_pair().await;
    // splice(2): EINVAL if the target is in append mode. Reading from it is not affected.
    fcntl_setfl(&dialled, OFlags::APPEND | OFlags::NONBLOCK).unwrap();
    let pool = pool_of(8, Pipe::new);
    let Bulk { client, backend, ended, .. } =
        start((client, backend), (accepted.into(), dialled.into()), pool);
    within(exchange(client, backend, len)).await;
    let ended = outcome(ended).await;
    assert_eq!((ended.up, ended.down), (len as u64, len as u64));
    assert!(pool.level().0 > 0, "pipes were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_few_pipes() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    fn counted() -> io::Result<Pipe> {
        MADE.fetch_add(1, Ordering::Relaxed);
        Pipe::new()
    }
    let pool = pool_of(4, counted);
    // Nobody gets one until half of the connections are through without; then the others share them.
    let all: Vec<_> = (0..4).map(|_| pool.take().expect("there may be four")).collect();
    let mut connections = tokio::task::JoinSet::new();
    for connection in 0..200 {
        let (near, far) = (tcp_pair().await, tcp_pair().await);
        [&near.0, &near.1, &far.0, &far.1].into_iter().for_each(narrow);
        let Bulk { client, mut backend, ended, .. } =
            start((near.0, far.0), (near.1.into(), far.1.into()), pool);
        connections.spawn(async move {
            let receive = receive(&mut backend, 2 * MIB + 7);
            let (sent, got) = tokio::join!(send(client, 2 * MIB + 7, 2 * connection + 1), receive);
            drop(backend);
            (sent == got, outcome(ended).await.up)
        });
    }
    let mut ended = Vec::new();
    for _ in 0..100 {
        ended.extend(within(connections.join_next()).await);
    }
    assert_eq!(pool.level(), (0, 4), "they copied");
    drop(all);
    ended.extend(within(connections.join_all()).await.into_iter().map(Ok));
    let whole = (true, (2 * MIB + 7) as u64);
    assert!(ended.len() == 200 && ended.iter().all(|end| end.as_ref().is_ok_and(|end| *end == whole)));
    assert_eq!(MADE.load(Ordering::Relaxed), 4, "no more pipes than there may be");
    assert_eq!(pool.level(), (4, 0));
}
