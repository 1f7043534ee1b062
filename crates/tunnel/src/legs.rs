//! Legs for tests: pipes in memory that behave as badly as sockets may, and those who use their far ends.

use std::future::Future;
use std::io::{ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use relay::Leg;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Limits, Settings};

/// A pipe that remembers that it was to be reset, and may be told that it has failed.
pub(crate) struct Pipe(pub(crate) DuplexStream, pub(crate) Arc<AtomicBool>, pub(crate) Arc<AtomicBool>);

impl Leg for Pipe {
    fn reset_on_drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }

    fn take_error(&self) -> Option<ErrorKind> {
        self.2.swap(false, Ordering::SeqCst).then_some(ErrorKind::TimedOut)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// An end of a pipe. One that is reset and dropped makes the other end's reads fail, after what was sent.
pub(crate) struct Rough {
    pipe: DuplexStream,
    rng: StdRng,
    pub(crate) resets: bool,
    /// Set when this end was dropped with a reset; when the other one was.
    reset: Arc<AtomicBool>,
    was_reset: Arc<AtomicBool>,
}

pub(crate) fn pipe(rng: &mut StdRng) -> (Rough, Rough) {
    let (a, b) = duplex(rng.random_range(1..40_000));
    let (a_reset, b_reset) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let mut end = |pipe, reset: &Arc<AtomicBool>, was_reset: &Arc<AtomicBool>| Rough {
        pipe,
        rng: StdRng::seed_from_u64(rng.next_u64()),
        resets: false,
        reset: reset.clone(),
        was_reset: was_reset.clone(),
    };
    (end(a, &a_reset, &b_reset), end(b, &b_reset, &a_reset))
}

impl Rough {
    /// Pending for no reason, once in a while, with the wake-up that is due.
    fn hesitates(&mut self, cx: &mut Context<'_>) -> bool {
        let hesitates = self.rng.random_ratio(1, 4);
        if hesitates {
            cx.waker().wake_by_ref();
        }
        hesitates
    }

    fn some_of(&mut self, len: usize) -> usize {
        if self.rng.random_bool(0.5) { len } else { self.rng.random_range(1..=len.max(1)).min(len) }
    }
}

impl Drop for Rough {
    fn drop(&mut self) {
        self.reset.store(self.resets, Ordering::SeqCst);
    }
}

impl Leg for Rough {
    fn reset_on_drop(&mut self) {
        self.resets = true;
    }
}

impl AsyncRead for Rough {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.hesitates(cx) {
            return Poll::Pending;
        }
        let room = self.some_of(buf.remaining());
        let mut bytes = vec![0; room];
        let mut into = ReadBuf::new(&mut bytes);
        let result = Pin::new(&mut self.pipe).poll_read(cx, &mut into);
        let ended = result.is_ready() && into.filled().is_empty();
        if ended && self.was_reset.load(Ordering::SeqCst) {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        buf.put_slice(into.filled());
        result
    }
}

impl AsyncWrite for Rough {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        if self.hesitates(cx) {
            return Poll::Pending;
        }
        let len = self.some_of(buf.len());
        Pin::new(&mut self.pipe).poll_write(cx, &buf[..len])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.hesitates(cx) { Poll::Pending } else { Pin::new(&mut self.pipe).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.hesitates(cx) { Poll::Pending } else { Pin::new(&mut self.pipe).poll_shutdown(cx) }
    }
}

pub(crate) fn payload(rng: &mut StdRng) -> Vec<u8> {
    let len = if rng.random_bool(0.2) { 300_000 } else { 3_000 };
    let mut bytes = vec![0; rng.random_range(0..len)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Never silent for a second, and done within ten: what dialect 1 can carry after an end of file.
async fn pause(rng: &mut StdRng) {
    if rng.random_ratio(1, 4) {
        sleep(Duration::from_millis(rng.random_range(0..300))).await;
    }
}

/// Writes `bytes` up to `until` in pieces.
pub(crate) async fn send(
    to: &mut WriteHalf<Rough>,
    bytes: &[u8],
    until: usize,
    rng: &mut StdRng,
) -> Result<()> {
    for piece in bytes[..until].chunks(bytes.len() / 20 + 1) {
        pause(rng).await;
        to.write_all(piece).await?;
    }
    to.flush().await
}

/// What was read, and whether it ended in order.
pub(crate) async fn receive(from: &mut ReadHalf<Rough>, rng: &mut StdRng) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    loop {
        if rng.random_ratio(1, 8) {
            sleep(Duration::from_millis(rng.random_range(0..30))).await;
        }
        match from.read_buf(&mut got).await {
            Ok(0) => return (got, true),
            Ok(_) => {}
            Err(_) => return (got, false),
        }
    }
}

/// An application or a destination: sends `bytes`, all of them and then the end of file, or up to `cut` and
/// then a reset; meanwhile reads to the end.
pub(crate) async fn far_end(leg: Rough, bytes: &[u8], cut: Option<usize>, seed: u64) -> (Vec<u8>, bool) {
    let (mut rng, mut pausing) = (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(!seed));
    let (mut from, mut to) = split(leg);
    let mut got = (Vec::new(), false);
    let sending = async {
        let _ = send(&mut to, bytes, cut.unwrap_or(bytes.len()), &mut rng).await;
        if cut.is_none() {
            let _ = to.shutdown().await;
        }
    };
    let receiving = async { got = receive(&mut from, &mut pausing).await };
    match cut {
        None => _ = tokio::join!(receiving, sending),
        Some(_) => {
            let receiving = async {
                receiving.await;
                std::future::pending::<()>().await;
            };
            tokio::select! { () = receiving => {}, () = sending => {} }
        }
    }
    let mut leg = from.unsplit(to);
    if cut.is_some() {
        leg.reset_on_drop();
    }
    got
}

pub(crate) async fn within<F: Future>(seed: u64, future: F) -> F::Output {
    timeout(Duration::from_secs(300), future).await.unwrap_or_else(|_| panic!("seed {seed}: it hangs"))
}

pub(crate) fn settings() -> Settings {
    Settings {
        control_timeout: Duration::from_secs(10),
        limits: Limits::default(),
        stop: CancellationToken::new(),
        meter: relay::Meter::default(),
        tap: None,
        round_trip: None,
    }
}
