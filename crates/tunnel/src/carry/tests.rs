//! Dialect 1 against hand-made peers. The legs are in-memory pipes and the clock is paused, so the
//! times asserted are exact; what needs a kernel's socket is tested end to end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use tokio::io::ReadBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::frame::{HEAD_ROOM, Opcode, encode_control, put_header};
use crate::legs::{Pipe, settings};
use crate::{Decoder, Violation};

mod limits;

/// A tunnel's end under test, and the far ends of its two legs.
struct Rig {
    local: DuplexStream,
    wire: DuplexStream,
    local_reset: Arc<AtomicBool>,
    wire_reset: Arc<AtomicBool>,
    local_failed: Arc<AtomicBool>,
    wire_failed: Arc<AtomicBool>,
    ended: JoinHandle<Ended>,
    stop: CancellationToken,
    role: Role,
}

fn rig(role: Role) -> Rig {
    rig_with(role, Vec::new(), 64 * 1024, None)
}

fn rig_with(role: Role, early: Vec<u8>, room: usize, tap: Option<Box<dyn Tap>>) -> Rig {
    rig_of(role, early, room, Settings { tap, ..settings() })
}

fn rig_limited(role: Role, room: usize, limits: Limits) -> Rig {
    rig_of(role, Vec::new(), room, Settings { limits, ..settings() })
}

fn rig_of(role: Role, early: Vec<u8>, room: usize, settings: Settings) -> Rig {
    let (local, near_local) = duplex(room);
    let (wire, near_wire) = duplex(room);
    let (local_reset, wire_reset) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (local_failed, wire_failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let stop = settings.stop.clone();
    let near_local = Pipe(near_local, local_reset.clone(), local_failed.clone());
    let stream = Pipe(near_wire, wire_reset.clone(), wire_failed.clone());
    let ended = tokio::spawn(carry(near_local, Wire { stream, early, role }, settings));
    Rig { local, wire, local_reset, wire_reset, local_failed, wire_failed, ended, stop, role }
}

impl Rig {
    fn peer_role(&self) -> Role {
        if self.role == Role::Client { Role::Server } else { Role::Client }
    }

    /// Sends a message as the peer.
    async fn send(&mut self, payload: &[u8]) {
        let frame = message(payload, self.peer_role());
        self.wire.write_all(&frame).await.unwrap();
    }

    async fn send_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let frame = encode_control(opcode, payload, self.peer_role());
        self.wire.write_all(&frame).await.unwrap();
    }

    /// Reads frames as the peer until the end; the payload, and how it ended.
    async fn receive_all(&mut self) -> (Vec<u8>, Option<End>) {
        let mut decoder = Decoder::new(self.peer_role());
        let (mut payload, mut chunk) = (Vec::new(), vec![0; 4096]);
        loop {
            let n = self.wire.read(&mut chunk).await.unwrap();
            if n == 0 {
                return (payload, None);
            }
            let found = decoder.decode(&mut chunk[..n]);
            found.pieces.iter().for_each(|p| payload.extend_from_slice(&chunk[p.clone()]));
            if found.end.is_some() {
                return (payload, found.end);
            }
        }
    }

    async fn outcome(self) -> Ended {
        tokio::time::timeout(Duration::from_secs(60), self.ended).await.expect("it ends").unwrap()
    }

    fn resets(&self) -> (bool, bool) {
        (self.local_reset.load(Ordering::SeqCst), self.wire_reset.load(Ordering::SeqCst))
    }
}

fn message(payload: &[u8], role: Role) -> Vec<u8> {
    let mut buffer = [&[0; HEAD_ROOM][..], payload].concat();
    let start = put_header(&mut buffer, payload.len(), Opcode::Binary, role);
    buffer.split_off(start)
}

const NORMAL: Option<End> = Some(End::Close(1000));

#[tokio::test(start_paused = true)]
async fn after_the_apps_end_of_file_the_answer_still_comes_until_a_second_of_silence() {
    let mut rig = rig(Role::Client);
    rig.local.write_all(b"request").await.unwrap();
    rig.local.shutdown().await.unwrap();
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_millis(900)).await;
    rig.send(b"answer, ").await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    rig.send(b"late but whole").await;
    let (request, end) = rig.receive_all().await;
    assert_eq!((request.as_slice(), end), (&b"request"[..], NORMAL));
    assert_eq!(begun.elapsed().as_millis() / 10, 280, "a second after the last byte");
    rig.send_control(Opcode::Close, &1000u16.to_be_bytes()).await;
    let mut answer = String::new();
    rig.local.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer, late but whole");
    assert_eq!(rig.resets(), (false, false));
    let ended = rig.outcome().await;
    assert_eq!((ended.by, ended.why, ended.up, ended.down), (Side::Client, Why::Eof, 7, 22));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_falls_silent_is_cut_after_ten_seconds_and_not_as_complete() {
    let mut rig = rig(Role::Client);
    rig.local.shutdown().await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(9_900) {
        rig.send(b"x").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(rig.receive_all().await.1, NORMAL);
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(rig.resets().0, "the local socket must not see an orderly end");
    assert_eq!(rig.outcome().await.why, Why::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_ends_after_a_silent_client_ends_the_tunnel_at_once() {
    let mut rig = rig(Role::Server);
    tokio::time::sleep(Duration::from_secs(5)).await;
    rig.local.write_all(b"last words").await.unwrap();
    rig.local.shutdown().await.unwrap();
    let begun = Instant::now();
    assert_eq!(rig.receive_all().await, (b"last words".to_vec(), NORMAL));
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    rig.send_control(Opcode::Close, &1000u16.to_be_bytes()).await;
    let ended = rig.outcome().await;
    assert_eq!((ended.by, ended.why, ended.down), (Side::Backend, Why::Eof, 10));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_our_close_is_waited_for_two_seconds() {
    let mut rig = rig(Role::Client);
    rig.local.shutdown().await.unwrap();
    let begun = Instant::now();
    assert_eq!(rig.receive_all().await.1, NORMAL);
    let local_end = rig.local.read(&mut [0]).await.unwrap();
    assert_eq!((local_end, begun.elapsed().as_millis() / 10), (0, 300));
    assert!(rig.resets().1, "whoever does not answer is not trusted with an orderly end");
    assert_eq!(rig.outcome().await.why, Why::Eof);
}

#[tokio::test(start_paused = true)]
async fn the_peers_close_is_answered_and_what_came_before_is_delivered() {
    let mut rig = rig_with(Role::Server, Vec::new(), 1024, None);
    let big = vec![5; 10_000];
    let frames = [message(&big, Role::Client), encode_control(Opcode::Close, b"", Role::Client)].concat();
    let (mut wire_in, mut wire_out) = tokio::io::split(&mut rig.wire);
    let mut got = Vec::new();
    let mut answer = [0; 4];
    let (sent, read, closed) = tokio::join!(
        wire_out.write_all(&frames),
        async {
            tokio::time::sleep(Duration::from_secs(30)).await; // a reader that sleeps loses nothing
            rig.local.read_to_end(&mut got).await
        },
        wire_in.read_exact(&mut answer),
    );
    for result in [sent, read.map(drop), closed.map(drop)] {
        result.unwrap();
    }
    assert!(got == big);
    assert_eq!(answer, [0x88, 2, 3, 0xe8]);
    drop(rig.local);
    let ended = tokio::time::timeout(Duration::from_secs(5), rig.ended).await.unwrap().unwrap();
    assert_eq!((ended.by, ended.why, ended.up), (Side::Client, Why::Eof, 10_000));
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_that_could_not_be_delivered_is_not_called_one() {
    let frames = [message(&[5; 3000], Role::Client), encode_control(Opcode::Close, b"", Role::Client)];
    let mut rig = rig_with(Role::Server, frames.concat(), 1024, None);
    rig.local.read_exact(&mut [0; 1000]).await.unwrap();
    let Rig { local, wire, ended, .. } = rig;
    drop(local); // before it has all
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
    assert_eq!((ended.by, ended.why), (Side::Backend, Why::Failed(std::io::ErrorKind::BrokenPipe)));
    drop(wire);
}

#[tokio::test(start_paused = true)]
async fn an_end_of_file_without_close_is_an_orderly_end() {
    for role in [Role::Client, Role::Server] {
        let mut rig = rig(role);
        rig.send(b"all of it").await;
        rig.wire.shutdown().await.unwrap();
        let mut got = String::new();
        rig.local.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "all of it");
        assert!(!rig.resets().0);
        rig.local.shutdown().await.unwrap();
        let ended = rig.outcome().await;
        assert_eq!((ended.by, ended.why), (role.peer(), Why::Eof));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_file_within_a_frame_or_message_resets_the_local_socket() {
    let fragment = [0x02, 3, b'a', b'b', b'c'];
    for bytes in [&message(b"cut", Role::Server)[..4], &fragment] {
        let mut rig = rig(Role::Client);
        rig.wire.write_all(bytes).await.unwrap();
        rig.wire.shutdown().await.unwrap();
        let reset = rig.local_reset.clone();
        assert_eq!(rig.outcome().await.why, Why::Truncated);
        assert!(reset.load(Ordering::SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_not_orderly_resets_the_local_socket() {
    for code in [1001u16, 1011, 4000] {
        let mut rig = rig(Role::Client);
        rig.send(b"part").await;
        rig.send_control(Opcode::Close, &code.to_be_bytes()).await;
        assert_eq!(rig.receive_all().await.1, Some(End::Close(code)), "the code is echoed");
        assert_eq!(rig.resets(), (true, false));
        assert_eq!(rig.outcome().await.why, Why::Code(code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_violation_is_answered_with_its_code_and_resets_the_local_socket() {
    for (bytes, violation) in [
        (&[0x81, 0x81, 0, 0, 0, 0, b'x'][..], Violation::Text),
        (&[0x82, 0x01, b'x'], Violation::Unmasked),
        (&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], Violation::TooBig),
    ] {
        let mut rig = rig(Role::Server);
        rig.wire.write_all(bytes).await.unwrap();
        assert_eq!(rig.receive_all().await.1, Some(End::Close(violation.code())));
        assert!(rig.resets().0);
        // What it still sends is read, so that closing does not take the answer from it.
        rig.wire.write_all(&[0; 30_000]).await.unwrap();
        rig.wire.shutdown().await.unwrap();
        let ended = rig.outcome().await;
        assert_eq!((ended.by, ended.why), (Side::Client, Why::Protocol(violation.text())));
    }
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_data_flows_and_pongs_mean_nothing() {
    let mut rig = rig(Role::Server);
    rig.send(b"a").await;
    rig.send_control(Opcode::Ping, b"one").await;
    rig.send_control(Opcode::Pong, b"").await;
    rig.send(b"b").await;
    let mut got = [0; 2];
    rig.local.read_exact(&mut got).await.unwrap();
    let mut pong = [0; 5];
    rig.wire.read_exact(&mut pong).await.unwrap();
    assert_eq!((&got, &pong), (b"ab", b"\x8a\x03one"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_tunnel_pings_every_25_seconds_and_no_answer_means_nothing() {
    let mut rig = rig(Role::Server);
    let begun = Instant::now();
    let mut ping = [0; 2];
    for seconds in [25, 50, 75] {
        rig.wire.read_exact(&mut ping).await.unwrap();
        assert_eq!((ping, begun.elapsed().as_secs()), ([0x89, 0], seconds));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    rig.local.write_all(b"x").await.unwrap(); // at 85 s: counts as life
    rig.wire.read_exact(&mut [0; 3]).await.unwrap();
    rig.wire.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping, begun.elapsed().as_secs()), ([0x89, 0], 110));
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_is_from_a_ping_to_its_own_pong() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = seen.clone();
    let observe = move |took: Duration| observed.lock().unwrap().push(took.as_millis());
    let round_trip = RoundTrip(Arc::new(observe));
    let settings = Settings { round_trip: Some(round_trip), ..settings() };
    let mut rig = rig_of(Role::Server, Vec::new(), 64, settings);
    rig.send_control(Opcode::Pong, b"").await; // nobody has asked
    for millis in [5, 120] {
        rig.wire.read_exact(&mut [0; 2]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        rig.send_control(Opcode::Pong, b"another's").await;
        rig.send_control(Opcode::Pong, b"").await;
        rig.send_control(Opcode::Pong, b"").await; // said twice
    }
    rig.wire.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [5, 120]);
}

#[tokio::test(start_paused = true)]
async fn stopping_says_going_away_and_resets_within_half_a_second() {
    let mut rig = rig(Role::Server);
    rig.send(b"x").await;
    rig.local.read_exact(&mut [0]).await.unwrap();
    let begun = Instant::now();
    rig.stop.cancel();
    assert_eq!(rig.receive_all().await.1, Some(End::Close(1001)));
    let resets = (rig.local_reset.clone(), rig.wire_reset.clone());
    let ended = rig.outcome().await;
    assert_eq!((ended.by, ended.why), (Side::Here, Why::Stopped));
    assert!(resets.0.load(Ordering::SeqCst) && resets.1.load(Ordering::SeqCst));
    assert!(begun.elapsed() <= Duration::from_millis(510), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_blocked_peer_or_reader() {
    let mut rig = rig_with(Role::Server, Vec::new(), 64, None);
    rig.send(&[1; 30]).await;
    let Rig { mut local, wire, stop, ended, local_reset, .. } = rig;
    let flood = tokio::spawn(async move {
        let _ = local.write_all(&[0; 100_000]).await;
        local
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
    assert_eq!(ended.why, Why::Stopped);
    assert!(local_reset.load(Ordering::SeqCst));
    assert!(begun.elapsed() <= Duration::from_millis(510), "{:?}", begun.elapsed());
    drop((wire, flood.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_dies_while_nobody_reads_it_is_noticed() {
    for wire_dies in [true, false] {
        let mut rig = rig_with(Role::Server, Vec::new(), 64, None);
        match wire_dies {
            true => rig.send(&[1; 120]).await, // more than the local pipe takes
            false => {
                let _ = tokio::time::timeout(Duration::from_secs(1), rig.local.write_all(&[1; 500])).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!rig.ended.is_finished(), "a paused reader is healthy");
        (if wire_dies { &rig.wire_failed } else { &rig.local_failed }).store(true, Ordering::SeqCst);
        let begun = Instant::now();
        let side = if wire_dies { Side::Client } else { Side::Backend };
        let local_reset = rig.local_reset.clone();
        let Rig { local, wire, ended, .. } = rig;
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
        assert_eq!((ended.by, ended.why), (side, Why::Failed(std::io::ErrorKind::TimedOut)));
        assert!(local_reset.load(Ordering::SeqCst));
        assert!(begun.elapsed() <= LOOK + Duration::from_secs(10), "{:?}", begun.elapsed());
        drop((local, wire));
    }
}

#[tokio::test(start_paused = true)]
async fn early_bytes_come_first() {
    let early = message(b"first, ", Role::Client);
    let mut rig = rig_with(Role::Server, early, 1024, None);
    rig.send(b"second").await;
    rig.wire.shutdown().await.unwrap();
    let mut got = String::new();
    rig.local.read_to_string(&mut got).await.unwrap();
    assert_eq!(got, "first, second");
}

#[tokio::test(start_paused = true)]
async fn the_tap_sees_just_the_payload_of_both_ways() {
    type Pieces = Vec<(Side, Vec<u8>)>;
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Pieces>>);
    impl Tap for Seen {
        fn seen(&mut self, from: Side, bytes: &[u8]) {
            self.0.lock().unwrap().push((from, bytes.to_vec()));
        }
    }
    let seen = Seen::default();
    let mut rig = rig_with(Role::Server, Vec::new(), 1024, Some(Box::new(seen.clone())));
    rig.send(b"SELECT 1").await;
    rig.local.read_exact(&mut [0; 8]).await.unwrap();
    rig.local.write_all(b"1").await.unwrap();
    rig.wire.read_exact(&mut [0; 3]).await.unwrap();
    let expected = [(Side::Client, b"SELECT 1".to_vec()), (Side::Backend, b"1".to_vec())];
    assert_eq!(*seen.0.lock().unwrap(), expected);
}

/// Two ends of ours, back to back, with legs of odd sizes.
#[tokio::test]
async fn megabytes_pass_both_ways_at_once_unharmed() {
    let (app, near_app) = duplex(10_007);
    let (near_destination, destination) = duplex(70_001);
    let (a, b) = duplex(33_333);
    let pipe = |d| Pipe(d, Arc::default(), Arc::default());
    let wire = |stream, role| Wire { stream: pipe(stream), early: Vec::new(), role };
    let client = tokio::spawn(carry(pipe(near_app), wire(a, Role::Client), settings()));
    let server = tokio::spawn(carry(pipe(near_destination), wire(b, Role::Server), settings()));
    let data = |seed: u64, len: usize| -> Vec<u8> {
        (0..len as u64).map(|i| ((i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    };
    let (up, down) = (data(1, 6_000_011), data(2, 9_000_007));
    let (mut app_in, mut app_out) = tokio::io::split(app);
    let (mut destination_in, mut destination_out) = tokio::io::split(destination);
    let (mut got_up, mut got_down) = (vec![0; up.len()], vec![0; down.len()]);
    let results = tokio::join!(
        app_out.write_all(&up),
        destination_out.write_all(&down),
        destination_in.read_exact(&mut got_up),
        app_in.read_exact(&mut got_down),
    );
    for result in [results.0, results.1, results.2.map(drop), results.3.map(drop)] {
        result.unwrap();
    }
    assert!(got_up == up && got_down == down, "what was sent is what arrived");
    app_out.shutdown().await.unwrap();
    assert_eq!(destination_in.read(&mut [0]).await.unwrap(), 0, "the end of file arrives");
    destination_out.shutdown().await.unwrap();
    for ended in [client.await.unwrap(), server.await.unwrap()] {
        assert_eq!((ended.up, ended.down), (6_000_011, 9_000_007));
        assert_eq!((ended.by, ended.why), (Side::Client, Why::Eof));
    }
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

const TOLD: Why = Why::Failed(std::io::ErrorKind::ConnectionReset);

#[tokio::test(start_paused = true)]
async fn a_local_reset_that_a_write_was_told_of_is_no_end_of_file() {
    for role in [Role::Client, Role::Server] {
        let (mut peer, near) = duplex(1024);
        let wire = Wire { stream: Pipe(near, Arc::default(), Arc::default()), early: Vec::new(), role };
        let ended = tokio::spawn(carry(Reset::default(), wire, settings()));
        let from = if role == Role::Client { Role::Server } else { Role::Client };
        peer.write_all(&message(b"x", from)).await.unwrap();
        let mut said = [0; 100];
        let n = peer.read(&mut said).await.unwrap();
        let end = Decoder::new(from).decode(&mut said[..n]).end;
        assert_eq!(end, Some(End::Close(1011)), "the peer must not take what it has for all");
        drop(peer);
        let ended = ended.await.unwrap();
        assert_eq!((ended.by, ended.why), (role.local(), TOLD));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_the_websocket_that_a_write_was_told_of_is_no_end_of_file() {
    for role in [Role::Client, Role::Server] {
        let (mut local, near) = duplex(1024);
        let local_reset = Arc::<AtomicBool>::default();
        let wire = Wire { stream: Reset::default(), early: Vec::new(), role };
        let ended = tokio::spawn(carry(Pipe(near, local_reset.clone(), Arc::default()), wire, settings()));
        local.write_all(b"x").await.unwrap();
        let ended = ended.await.unwrap();
        assert_eq!((ended.by, ended.why), (role.peer(), TOLD));
        assert!(local_reset.load(Ordering::SeqCst));
    }
}
