use std::io;
use std::task::Waker;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::*;
use crate::Socket;

/// A relay between two TCP connections; the two far ends and what became of it.
struct Relayed {
    client: TcpStream,
    backend: TcpStream,
    ended: JoinHandle<Ended>,
    stop: CancellationToken,
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (dialled, listener.accept().await.unwrap().0)
}

async fn relayed() -> Relayed {
    let (client, accepted) = tcp_pair().await;
    let (backend, dialled) = tcp_pair().await;
    let stop = CancellationToken::new();
    let token = stop.clone();
    let ended = tokio::spawn(async move {
        copy(Socket::from(accepted), Socket::from(dialled), &Meter::default(), &token).await
    });
    Relayed { client, backend, ended, stop }
}

async fn outcome(ended: JoinHandle<Ended>) -> Ended {
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the relay ends").unwrap()
}

fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        })
        .collect()
}

#[tokio::test]
async fn bytes_arrive_both_ways_at_once_and_are_counted() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    let (up, down) = (pattern(3_000_017, 1), pattern(5_000_011, 2));
    let (mut got_up, mut got_down) = (Vec::new(), Vec::new());
    let (mut client_in, mut client_out) = client.split();
    let (mut backend_in, mut backend_out) = backend.split();
    let (a, b, c, d) = tokio::join!(
        async { (client_out.write_all(&up).await, client_out.shutdown().await) },
        async { (backend_out.write_all(&down).await, backend_out.shutdown().await) },
        backend_in.read_to_end(&mut got_up),
        client_in.read_to_end(&mut got_down),
    );
    for result in [a.0, a.1, b.0, b.1, c.map(drop), d.map(drop)] {
        result.unwrap();
    }
    assert!(got_up == up && got_down == down, "what was sent is what arrived");
    let ended = outcome(ended).await;
    assert_eq!((ended.up, ended.down, ended.why), (3_000_017, 5_000_011, Why::Eof));
}

#[tokio::test]
async fn a_half_close_is_passed_on_and_the_answer_still_comes() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    client.write_all(b"request").await.unwrap();
    client.shutdown().await.unwrap();
    let mut request = String::new();
    backend.read_to_string(&mut request).await.unwrap(); // ends only if the half-close arrives
    assert_eq!(request, "request");
    backend.write_all(b"answer").await.unwrap();
    drop(backend);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
    let ended = outcome(ended).await;
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Eof));
}

#[tokio::test]
async fn a_reset_of_one_side_resets_the_other() {
    for client_resets in [true, false] {
        let Relayed { client, backend, ended, .. } = relayed().await;
        let (reset, mut other, by) =
            if client_resets { (client, backend, Side::Client) } else { (backend, client, Side::Backend) };
        reset.set_zero_linger().unwrap();
        drop(reset);
        let error = other.read(&mut [0; 8]).await.expect_err("a reset, not an end of file");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let ended = outcome(ended).await;
        assert_eq!((ended.by, ended.why), (by, Why::Failed(io::ErrorKind::ConnectionReset)));
    }
}

#[tokio::test]
async fn the_answer_of_a_backend_that_stopped_reading_arrives() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    backend.write_all(b"413 too large").await.unwrap();
    drop(backend); // takes nothing of what comes
    let big = pattern(2_000_000, 3);
    let (mut input, mut output) = client.split();
    let mut answer = Vec::new();
    // The upload may fail half-way, as it would on a direct connection; the answer must be there.
    let (_, read) = tokio::join!(output.write_all(&big), input.read_to_end(&mut answer));
    assert!(answer.starts_with(b"413 too large"), "got {answer:?}, {read:?}");
    drop(client);
    outcome(ended).await;
}

#[tokio::test]
async fn stopping_resets_both() {
    let Relayed { mut client, mut backend, ended, stop } = relayed().await;
    client.write_all(b"x").await.unwrap();
    backend.read_exact(&mut [0]).await.unwrap();
    stop.cancel();
    for side in [&mut client, &mut backend] {
        let error = side.read(&mut [0]).await.expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    let ended = outcome(ended).await;
    assert_eq!((ended.by, ended.why, ended.up), (Side::Here, Why::Stopped, 1));
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_source() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    let chunk = vec![7; 64 * 1024];
    let mut sent = 0usize;
    // The kernel's buffers and ours fill up, then the source is not read any more.
    while tokio::time::timeout(Duration::from_millis(200), client.write_all(&chunk)).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 64 << 20, "the relay takes without end");
    }
    let mut got = 0;
    let mut buffer = vec![0; 1 << 20];
    while got < sent {
        let n = backend.read(&mut buffer).await.unwrap();
        assert!(n > 0 && buffer[..n].iter().all(|b| *b == 7));
        got += n;
    }
    drop((client, backend));
    outcome(ended).await;
}

#[tokio::test]
async fn unix_sockets_are_carried_too() {
    let (mut client, accepted) = UnixStream::pair().unwrap();
    let (mut backend, dialled) = UnixStream::pair().unwrap();
    let stop = CancellationToken::new();
    let relay = tokio::spawn(async move {
        copy(Socket::from(accepted), Socket::from(dialled), &Meter::default(), &stop).await
    });
    client.write_all(b"ping").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = String::new();
    backend.read_to_string(&mut got).await.unwrap();
    backend.write_all(b"pong").await.unwrap();
    backend.shutdown().await.unwrap();
    client.read_to_string(&mut got).await.unwrap();
    assert_eq!(got, "pingpong");
    assert_eq!(outcome(relay).await.up, 4);
}

/// A socket that its peer has reset: the kernel tells of that once, and while data flows it is mostly a
/// write that is told. The read after it finds an end of file that the peer never sent.
#[derive(Default)]
struct Reset {
    told: bool,
    reader: Option<Waker>,
}

impl Leg for Reset {
    fn reset_on_drop(&mut self) {}
}

impl tokio::io::AsyncRead for Reset {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.told {
            return Poll::Ready(Ok(()));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl tokio::io::AsyncWrite for Reset {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        let first = !std::mem::replace(&mut self.told, true);
        let kind = if first { std::io::ErrorKind::ConnectionReset } else { std::io::ErrorKind::BrokenPipe };
        Poll::Ready(Err(kind.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::ErrorKind::NotConnected.into()))
    }
}

#[tokio::test]
async fn a_reset_that_a_write_was_told_of_is_no_end_of_file() {
    for client_resets in [true, false] {
        let (mut other, near) = tcp_pair().await;
        let relay = tokio::spawn(async move {
            let stop = CancellationToken::new();
            match client_resets {
                true => copy(Reset::default(), Socket::from(near), &Meter::default(), &stop).await,
                false => copy(Socket::from(near), Reset::default(), &Meter::default(), &stop).await,
            }
        });
        other.write_all(b"x").await.unwrap();
        let error = other.read(&mut [0]).await.expect_err("a reset, not an end of file");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let by = if client_resets { Side::Client } else { Side::Backend };
        let ended = outcome(relay).await;
        assert_eq!((ended.by, ended.why), (by, Why::Failed(io::ErrorKind::ConnectionReset)));
    }
}

mod splice;
mod unread;
