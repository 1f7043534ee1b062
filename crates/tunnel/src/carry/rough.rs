//! Dialect 1 over legs that behave as badly as legs may: calls that are pending for no reason, short reads
//! and writes, resets at any time. The seeds are fixed and the clock is paused: a failure repeats.

use std::io::{ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::frame::{HEAD_ROOM, Opcode, encode_control, put_header};

/// An end of a pipe. One that is reset and dropped makes the other end's reads fail, after what was sent.
struct Rough {
    pipe: DuplexStream,
    rng: StdRng,
    resets: bool,
    /// Set when this end was dropped with a reset; when the other one was.
    reset: Arc<AtomicBool>,
    was_reset: Arc<AtomicBool>,
}

fn pipe(rng: &mut StdRng) -> (Rough, Rough) {
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

fn settings() -> Settings {
    Settings {
        control_timeout: Duration::from_secs(10),
        limits: Limits::default(),
        stop: CancellationToken::new(),
        meter: relay::Meter::default(),
        round_trip: None,
        tap: None,
    }
}

fn payload(rng: &mut StdRng) -> Vec<u8> {
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
async fn send(to: &mut WriteHalf<Rough>, bytes: &[u8], until: usize, rng: &mut StdRng) -> Result<()> {
    for piece in bytes[..until].chunks(bytes.len() / 20 + 1) {
        pause(rng).await;
        to.write_all(piece).await?;
    }
    to.flush().await
}

/// What was read, and whether it ended in order.
async fn receive(from: &mut ReadHalf<Rough>, rng: &mut StdRng) -> (Vec<u8>, bool) {
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
async fn far_end(leg: Rough, bytes: &[u8], cut: Option<usize>, seed: u64) -> (Vec<u8>, bool) {
    let (mut rng, mut pausing) = (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(!seed));
    let (mut from, mut to) = split(leg);
    let received = {
        let sending = async {
            let _ = send(&mut to, bytes, cut.unwrap_or(bytes.len()), &mut rng).await;
            if cut.is_none() {
                let _ = to.shutdown().await;
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            received = receive(&mut from, &mut pausing) => Some(received),
            () = sending => None,
        }
    };
    let mut leg = from.unsplit(to);
    received.unwrap_or_else(|| {
        leg.reset_on_drop();
        (Vec::new(), false)
    })
}

async fn within<F: Future>(seed: u64, future: F) -> F::Output {
    timeout(Duration::from_secs(300), future).await.unwrap_or_else(|_| panic!("seed {seed}: it hangs"))
}

#[tokio::test(start_paused = true)]
async fn two_ends_deliver_all_or_a_reset() {
    for seed in 0..150 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let ((app, near_app), (a, b), (near_backend, backend)) = (pipe(rng), pipe(rng), pipe(rng));
        let (up, down) = (payload(rng), payload(rng));
        let mut cut = |bytes: &[u8]| rng.random_ratio(1, 4).then(|| rng.random_range(0..=bytes.len()));
        let (up_cut, down_cut) = (cut(&up), cut(&down));
        let wire = |stream, role| Wire { stream, early: Vec::new(), role };
        let (at_app, at_backend, client, server) = within(seed, async {
            tokio::join!(
                far_end(app, &up, up_cut, seed),
                far_end(backend, &down, down_cut, seed ^ 0xffff),
                carry(near_app, wire(a, Role::Client), settings()),
                carry(near_backend, wire(b, Role::Server), settings()),
            )
        })
        .await;
        let case = format!("seed {seed}, cuts {up_cut:?} {down_cut:?}: {client:?}, {server:?}");
        for ((got, in_order), sent) in [(&at_app, &down), (&at_backend, &up)] {
            assert!(sent.starts_with(got), "{case}: other bytes than were sent");
            assert!(!in_order || got == sent, "{case}: {} of {} look complete", got.len(), sent.len());
        }
        if up_cut.is_none() && down_cut.is_none() {
            assert!(at_app.1 && at_backend.1, "{case}: reset without a reason");
            for ended in [&client, &server] {
                assert_eq!(ended.why, Why::Eof, "{case}");
                assert_eq!((ended.up, ended.down), (up.len() as u64, down.len() as u64), "{case}");
            }
        }
    }
}

/// How a hand-made peer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Close,
    Eof,
    WithinFrame,
    WithinMessage,
    Refuses,
    Violates,
    Resets,
}

/// The frames of a peer that fragments and pings as it likes, and its last words.
fn frames(bytes: &[u8], role: Role, farewell: Farewell, rng: &mut StdRng) -> Vec<u8> {
    let (mut frames, mut rest, mut begun) = (Vec::new(), bytes, false);
    while !rest.is_empty() {
        let most = if rng.random_bool(0.5) { 200 } else { 70_000 };
        let (piece, left) = rest.split_at(rng.random_range(0..=rest.len().min(most)));
        let last = left.is_empty() || rng.random_bool(0.5);
        let mut frame = [&[0; HEAD_ROOM][..], piece].concat();
        let opcode = if begun { Opcode::Continuation } else { Opcode::Binary };
        let start = put_header(&mut frame, piece.len(), opcode, role);
        frame[start] ^= if last { 0 } else { 0x80 };
        frames.extend_from_slice(&frame[start..]);
        if rng.random_ratio(1, 8) {
            frames.extend(encode_control(Opcode::Ping, b"there?", role));
        }
        (rest, begun) = (left, !last);
    }
    let within_message = if role == Role::Client { &[0x02, 0x80, 0, 0, 0, 0][..] } else { &[0x02, 0] };
    match farewell {
        Farewell::Close => frames.extend(encode_control(Opcode::Close, &1000u16.to_be_bytes(), role)),
        Farewell::Refuses => frames.extend(encode_control(Opcode::Close, &1011u16.to_be_bytes(), role)),
        Farewell::Violates => frames.extend([0xff; HEAD_ROOM]),
        Farewell::WithinFrame => frames.push(0x82),
        Farewell::WithinMessage => frames.extend(within_message),
        Farewell::Eof | Farewell::Resets => {}
    }
    frames
}

#[tokio::test(start_paused = true)]
async fn one_end_believes_only_an_orderly_peer() {
    use Farewell::*;
    for seed in 0..210 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let ((local, near_local), (near_wire, mut wire)) = (pipe(rng), pipe(rng));
        let farewell = [Close, Eof, WithinFrame, WithinMessage, Refuses, Violates, Resets][seed as usize % 7];
        let role = if rng.random_bool(0.5) { Role::Client } else { Role::Server };
        let peer_role = if role == Role::Client { Role::Server } else { Role::Client };
        let sent = payload(rng);
        let mut frames = frames(&sent, peer_role, farewell, rng);
        let unread = frames.split_off(rng.random_range(0..=frames.len().min(5_000)));
        let (mut to_local, mut pausing) = (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(!seed));
        let peer = async {
            wire.resets = farewell == Resets;
            let (mut from, mut to) = split(wire);
            let sending = async {
                let _ = send(&mut to, &unread, unread.len(), &mut to_local).await;
                if farewell != Resets {
                    let _ = to.shutdown().await;
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! { _ = receive(&mut from, &mut pausing) => {}, () = sending => {} }
        };
        let tunnel = carry(near_local, Wire { stream: near_wire, early: frames, role }, settings());
        let (mut from_tunnel, keep) = split(local);
        let reading = receive(&mut from_tunnel, rng);
        let ((), ended, (got, in_order)) = within(seed, async { tokio::join!(peer, tunnel, reading) }).await;
        drop(keep);
        let case = format!("seed {seed}, {role:?}, {farewell:?}: {ended:?}");
        assert!(sent.starts_with(&got), "{case}: other bytes than were sent");
        let orderly = matches!(farewell, Close | Eof);
        assert_eq!((in_order, ended.why == Why::Eof), (orderly, orderly), "{case}");
        assert!(!orderly || got == sent, "{case}: {} of {} look complete", got.len(), sent.len());
    }
}
