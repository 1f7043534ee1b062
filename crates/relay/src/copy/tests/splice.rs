//! Bulk: bytes that go through pipes.

use std::hash::{DefaultHasher, Hasher};
use std::os::fd::AsFd;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::copy::pipe::Pipe;

const MIB: usize = 1024 * 1024;

/// Both directions of a relay that splices with pipes of its own pool.
struct Bulk<C = TcpStream, B = TcpStream> {
    client: C,
    backend: B,
    pool: &'static Pool,
    ended: JoinHandle<Ended>,
}

fn pool_of(most: usize, make: fn() -> io::Result<Pipe>) -> &'static Pool {
    Box::leak(Box::new(Pool::new(most, make)))
}

fn start<C, B>(far: (C, B), near: (Socket, Socket), pool: &'static Pool) -> Bulk<C, B> {
    let ended = tokio::spawn(async move {
        copy_with(near.0, near.1, &Meter::default(), &CancellationToken::new(), pool).await
    });
    Bulk { client: far.0, backend: far.1, pool, ended }
}

async fn over_tcp(pool: &'static Pool) -> Bulk {
    let (client, accepted) = tcp_pair().await;
    let (backend, dialled) = tcp_pair().await;
    start((client, backend), (accepted.into(), dialled.into()), pool)
}

async fn bulk() -> Bulk {
    over_tcp(pool_of(8, Pipe::new)).await
}

/// Waits until so many pipes of the pool are lent.
async fn lent(pool: &Pool, lent: usize) {
    within(async {
        while pool.level().1 != lent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it happens")
}

/// Writes `len` bytes that no two seeds share, then ends; returns their hash.
async fn send(mut to: impl AsyncWrite + Unpin, len: usize, seed: u64) -> u64 {
    // A length that no page, buffer or pipe is a multiple of: each round begins elsewhere in them.
    let chunk = pattern(100_003, seed);
    let mut hasher = DefaultHasher::new();
    let mut left = len;
    while left > 0 {
        let now = &chunk[..left.min(chunk.len())];
        to.write_all(now).await.unwrap();
        hasher.write(now);
        hasher.write_usize(left);
        left -= now.len();
    }
    to.shutdown().await.unwrap();
    hasher.finish()
}

/// Reads what [`send`] has sent, and its end; returns the hash.
async fn receive(mut from: impl AsyncRead + Unpin, len: usize) -> u64 {
    let mut chunk = vec![0; 100_003];
    let mut hasher = DefaultHasher::new();
    let mut left = len;
    while left > 0 {
        let now = left.min(chunk.len());
        from.read_exact(&mut chunk[..now]).await.unwrap();
        hasher.write(&chunk[..now]);
        hasher.write_usize(left);
        left -= now;
    }
    assert_eq!(from.read(&mut chunk).await.unwrap(), 0, "no more than was sent");
    hasher.finish()
}

/// Sends as much both ways at once, and compares.
async fn exchange(client: impl AsyncRead + AsyncWrite, backend: impl AsyncRead + AsyncWrite, len: usize) {
    let (client_in, client_out) = tokio::io::split(client);
    let (backend_in, backend_out) = tokio::io::split(backend);
    let (sent_up, got_up, sent_down, got_down) = tokio::join!(
        send(client_out, len, 1),
        receive(backend_in, len),
        send(backend_out, len, 3),
        receive(client_in, len),
    );
    assert!(sent_up == got_up && sent_down == got_down, "what was sent is what arrived");
}

/// Small socket buffers: what is on its way is in the pipe.
fn narrow(stream: &impl AsFd) {
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
}

/// Writes until the relay takes no more, with bytes in a pipe; returns how many.
async fn stuff(bulk: &mut Bulk) -> usize {
    let chunk = vec![7; 64 * 1024];
    let mut sent = 0;
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(300), bulk.client.write(&chunk)).await {
        sent += n.unwrap();
        assert!(sent < 64 * MIB, "the relay takes without end");
    }
    assert_eq!(bulk.pool.level().1, 1, "bytes are in a pipe");
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_arrives_both_ways_at_once() {
    let len = if cfg!(debug_assertions) { 256 * MIB + 17 } else { 1024 * MIB + 17 };
    let Bulk { client, backend, pool, ended } = bulk().await;
    within(exchange(client, backend, len)).await;
    let ended = outcome(ended).await;
    assert_eq!((ended.up, ended.down, ended.why), (len as u64, len as u64, Why::Eof));
    let (free, lent) = pool.level();
    assert!(free > 0 && lent == 0, "pipes were used and given back");
}

#[tokio::test]
async fn between_bursts_no_pipe_is_held() {
    let mut bulk = bulk().await;
    for burst in 0..20 {
        let data = pattern(3_000_001, 2 * burst + 1);
        let mut got = vec![0; data.len()];
        let (sent, received) = tokio::join!(bulk.client.write_all(&data), bulk.backend.read_exact(&mut got));
        sent.and(received.map(drop)).unwrap();
        assert!(got == data, "burst {burst}");
        lent(bulk.pool, 0).await;
        assert_eq!(bulk.pool.level().0, 1, "the same pipe serves every burst");
        let mut small = [0; 64];
        bulk.backend.write_all(&data[..64]).await.unwrap();
        bulk.client.read_exact(&mut small).await.unwrap();
        assert_eq!(small, data[..64], "a small message in the pause");
    }
    drop((bulk.client, bulk.backend));
    assert_eq!(outcome(bulk.ended).await.up, 20 * 3_000_001);
}

#[tokio::test]
async fn small_messages_take_no_pipe() {
    let mut bulk = bulk().await;
    let mut got = [0; 4096];
    for _ in 0..100 {
        bulk.client.write_all(&[1; 4096]).await.unwrap();
        bulk.backend.read_exact(&mut got).await.unwrap();
    }
    assert_eq!(bulk.pool.level(), (0, 0), "400 KiB in small messages are no burst");
}

#[tokio::test]
async fn a_slow_reader_stops_the_sender_and_loses_nothing() {
    let mut bulk = bulk().await;
    let sent = stuff(&mut bulk).await;
    let Bulk { mut client, mut backend, ended, .. } = bulk;
    client.shutdown().await.unwrap();
    let reader = async {
        let (mut got, mut some) = (0, vec![0; 100_000]);
        loop {
            let n = backend.read(&mut some).await.unwrap();
            assert!(some[..n].iter().all(|b| *b == 7));
            got += n;
            if n == 0 {
                return got;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within(reader).await, sent);
    drop((client, backend));
    assert_eq!(outcome(ended).await.up, sent as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_and_tcp_are_spliced_to_each_other() {
    let (client, accepted) = UnixStream::pair().unwrap();
    let (backend, dialled) = tcp_pair().await;
    let pool = pool_of(8, Pipe::new);
    let bulk = start((client, backend), (accepted.into(), dialled.into()), pool);
    within(exchange(bulk.client, bulk.backend, 64 * MIB + 3)).await;
    let ended = outcome(bulk.ended).await;
    assert_eq!((ended.up, ended.down, ended.why), (64 * MIB as u64 + 3, 64 * MIB as u64 + 3, Why::Eof));
    assert!(pool.level().0 > 0, "pipes were used");
}

mod broken;
mod few;
