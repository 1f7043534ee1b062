//! Dialect 1 over legs that behave as badly as legs may: calls that are pending for no reason, short reads
//! and writes, resets at any time. The seeds are fixed and the clock is paused: a failure repeats.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncWriteExt, split};

use super::*;
use crate::frame::{HEAD_ROOM, Opcode, encode_control, put_header};
use crate::legs::{far_end, payload, pipe, receive, send, settings, within};

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
