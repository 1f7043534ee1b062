//! Two carriers back to back, over pipes in memory. The clock is paused, so the times asserted are exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use relay::{Ended, Side, Why};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::*;
use crate::dialect2::{Budget, Link, Terms};
use crate::legs::{Pipe, settings};
use crate::{Role, Wire, close};

mod lost;
mod stopped;

const SECOND: Duration = Duration::from_secs(1);

/// An end of a session: the carrier, its WebSocket, and the far end of its local socket.
struct End {
    carrier: Carrier<Pipe>,
    websocket: WebSocket<Pipe>,
    far: DuplexStream,
    reset: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    role: Role,
}

/// Both ends of a session; their pipes take so many bytes.
fn pair(room: usize) -> (End, End) {
    pair_with(room, true, settings(), settings())
}

fn pair_with(room: usize, resume: bool, client: Settings, server: Settings) -> (End, End) {
    let (a, b) = duplex(room);
    let end = |role, stream, settings| {
        let terms = Terms { role, window: 1 << 20, resume };
        let (session, link) = Session::new(terms, &Budget::new(1 << 24), Instant::now());
        let (far, near) = duplex(room);
        let (reset, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let local = Pipe(near, reset.clone(), failed.clone());
        let websocket = websocket(link, stream, role);
        End { carrier: Carrier::new(local, session, settings), websocket, far, reset, failed, role }
    };
    (end(Role::Client, a, client), end(Role::Server, b, server))
}

fn websocket(link: Link, stream: DuplexStream, role: Role) -> WebSocket<Pipe> {
    let stream = Pipe(stream, Arc::default(), Arc::default());
    WebSocket::new(link, Wire { stream, early: Vec::new(), role })
}

/// An end that is carried by a task until there is something to decide.
struct Running {
    task: JoinHandle<(Turn, Carrier<Pipe>, WebSocket<Pipe>)>,
    far: DuplexStream,
    reset: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    role: Role,
}

impl End {
    fn run(self) -> Running {
        let Self { mut carrier, mut websocket, far, reset, failed, role } = self;
        let task = tokio::spawn(async move { (carrier.over(&mut websocket).await, carrier, websocket) });
        Running { task, far, reset, failed, role }
    }
}

impl Running {
    /// What there was to decide, and the end again.
    async fn turn(self) -> (Turn, End) {
        let Self { task, far, reset, failed, role } = self;
        let done = timeout(Duration::from_secs(100), task).await;
        let (turn, carrier, websocket) = done.expect("something is to be decided").unwrap();
        (turn, End { carrier, websocket, far, reset, failed, role })
    }

    async fn ended(self) -> Ended {
        self.turn().await.1.carrier.ended()
    }

    fn was_reset(&self) -> bool {
        self.reset.load(Ordering::SeqCst)
    }
}

fn summary(ended: &Ended) -> (Side, Why, u64, u64) {
    (ended.by, ended.why.clone(), ended.up, ended.down)
}

#[tokio::test(start_paused = true)]
async fn an_end_of_file_is_half_an_end() {
    for app_first in [true, false] {
        let (client, server) = pair(1024);
        let (mut client, mut server) = (client.run(), server.run());
        let (first, then) = if app_first { (&mut client, &mut server) } else { (&mut server, &mut client) };
        first.far.write_all(b"request").await.unwrap();
        first.far.shutdown().await.unwrap();
        let mut got = String::new();
        then.far.read_to_string(&mut got).await.unwrap();
        sleep(Duration::from_secs(100)).await; // longer than dialect 1 ever waits
        then.far.write_all(b"late answer").await.unwrap();
        then.far.shutdown().await.unwrap();
        let mut answer = String::new();
        first.far.read_to_string(&mut answer).await.unwrap();
        assert_eq!((got.as_str(), answer.as_str()), ("request", "late answer"));
        assert!(!client.was_reset() && !server.was_reset());
        let (by, up, down) = if app_first { (Side::Client, 7, 11) } else { (Side::Backend, 11, 7) };
        assert_eq!(summary(&client.ended().await), (by, Why::Eof, up, down));
        assert_eq!(summary(&server.ended().await), (by, Why::Eof, up, down));
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_socket_blocks_one_direction_and_both_ends_stay_alive() {
    let (client, server) = pair(1000);
    let (mut client, mut server) = (client.run(), server.run());
    // Nobody reads at the destination; the window fills up and the application is not read.
    let stuffed = timeout(SECOND, client.far.write_all(&[1; 1 << 20])).await;
    assert!(stuffed.is_err(), "it is blocked");
    for minute in 0..10u8 {
        sleep(Duration::from_secs(60)).await;
        server.far.write_all(&[minute; 5000]).await.unwrap();
        let mut got = [0; 5000];
        client.far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, [minute; 5000]);
    }
    assert!(!client.task.is_finished() && !server.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn both_directions_full_come_loose_again() {
    let (client, server) = pair(1000);
    let (mut client, mut server) = (client.run(), server.run());
    let (up, down) = (vec![1; 2_000_000], vec![2; 3_000_000]);
    let (mut app_in, mut app_out) = tokio::io::split(&mut client.far);
    let (mut dest_in, mut dest_out) = tokio::io::split(&mut server.far);
    let (mut got_up, mut got_down) = (vec![0; up.len()], vec![0; down.len()]);
    let results = tokio::join!(
        app_out.write_all(&up),
        dest_out.write_all(&down),
        async {
            sleep(Duration::from_secs(60)).await;
            dest_in.read_exact(&mut got_up).await
        },
        async {
            sleep(Duration::from_secs(120)).await;
            app_in.read_exact(&mut got_down).await
        },
    );
    assert!(results.0.is_ok() && results.1.is_ok() && results.2.is_ok() && results.3.is_ok());
    assert!(got_up == up && got_down == down);
}

#[tokio::test(start_paused = true)]
async fn an_idle_tunnel_holds_no_buffer() {
    let (mut client, mut server) = pair(1 << 20);
    client.far.write_all(&[1; 100_000]).await.unwrap();
    server.far.write_all(&[2; 100_000]).await.unwrap();
    let mut got = [vec![0; 100_000], vec![0; 100_000]];
    let [at_app, at_destination] = &mut got;
    for end in [&mut client, &mut server] {
        end.websocket.link().ping_now(Instant::now());
    }
    let both = async {
        tokio::join!(client.carrier.over(&mut client.websocket), server.carrier.over(&mut server.websocket));
    };
    let reading = async {
        client.far.read_exact(at_app).await.unwrap();
        server.far.read_exact(at_destination).await.unwrap();
        sleep(SECOND).await;
    };
    tokio::select! { () = both => panic!("it is over"), () = reading => {} }
    for End { carrier, websocket, .. } in [&mut client, &mut server] {
        assert_eq!((carrier.session().memory(), websocket.holds_any()), (0, false));
        let size =
            size_of_val(&carrier.over(websocket)) + size_of::<Carrier<Pipe>>() + size_of::<WebSocket<Pipe>>();
        assert!(size < 2048, "{size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_fails_unread_is_noticed_and_resets_the_other_one() {
    let (client, server) = pair(1000);
    let (mut client, server) = (client.run(), server.run());
    let stuffed = timeout(SECOND, client.far.write_all(&[1; 1 << 20])).await;
    assert!(stuffed.is_err(), "the application is not read any more");
    client.failed.store(true, Ordering::SeqCst);
    let resets = (client.reset.clone(), server.reset.clone());
    // The destination takes nothing; what the application sent before it failed goes nowhere, but the RESET does.
    let begun = Instant::now();
    let (here, there) = tokio::join!(client.ended(), server.ended());
    assert_eq!((here.by, here.why), (Side::Client, Why::Failed(std::io::ErrorKind::TimedOut)));
    assert_eq!((there.by, there.why), (Side::Client, Why::Failed(std::io::ErrorKind::ConnectionReset)));
    assert!(resets.0.load(Ordering::SeqCst) && resets.1.load(Ordering::SeqCst));
    assert!(begun.elapsed() < 8 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_local_socket_that_takes_nothing_any_more_says_its_last_words() {
    let (client, server) = pair(1024);
    let (mut client, server) = (client.run(), server.run());
    client.far.write_all(b"COMMIT").await.unwrap();
    drop(client.far);
    let Running { task, mut far, reset, .. } = server;
    let mut got = [0; 6];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "an end of file as it is");
    far.write_all(b"OK").await.unwrap();
    let ended = client.task.await.unwrap().1.ended();
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Failed(std::io::ErrorKind::BrokenPipe)));
    let (turn, ..) = task.await.unwrap();
    assert!(matches!(turn, Turn::Over(Over::ResetByPeer(ResetCode::LOCAL, _))), "{turn:?}");
    assert!(reset.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn last_words_are_taken_however_little_may_still_be_sent() {
    let (client, _server) = pair(1 << 20);
    let End { mut carrier, mut websocket, mut far, failed, .. } = client;
    for (words, taken) in [(&[7; 65_000][..], 65_000), (b"COMMIT", 65_000)] {
        far.write_all(words).await.unwrap();
        let _ = timeout(SECOND, carrier.over(&mut websocket)).await;
        assert_eq!(carrier.session().sending.bytes(), taken, "crumbs are not worth a frame");
    }
    drop(websocket);
    carrier.session().detach(Instant::now());
    failed.store(true, Ordering::SeqCst);
    let _ = timeout(10 * SECOND, carrier.detached()).await;
    assert_eq!(carrier.session().sending.bytes(), 65_006);
}

#[tokio::test(start_paused = true)]
async fn the_tap_and_the_meter_see_just_the_payload() {
    use std::sync::Mutex;
    type Pieces = Vec<(Side, Vec<u8>)>;
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Pieces>>);
    impl crate::Tap for Seen {
        fn seen(&mut self, from: Side, bytes: &[u8]) {
            self.0.lock().unwrap().push((from, bytes.to_vec()));
        }
    }
    let (seen, meter) = (Seen::default(), relay::Meter::default());
    let tapped = Settings { tap: Some(Box::new(seen.clone())), meter: meter.clone(), ..settings() };
    let (client, server) = pair_with(1024, true, tapped, settings());
    let (mut client, mut server) = (client.run(), server.run());
    client.far.write_all(b"SELECT 1").await.unwrap();
    server.far.read_exact(&mut [0; 8]).await.unwrap();
    server.far.write_all(b"1").await.unwrap();
    client.far.read_exact(&mut [0]).await.unwrap();
    let expected = [(Side::Client, b"SELECT 1".to_vec()), (Side::Backend, b"1".to_vec())];
    assert_eq!(*seen.0.lock().unwrap(), expected);
    assert_eq!((meter.up(), meter.down()), (8, 1));
}

#[tokio::test(start_paused = true)]
async fn the_round_trips_of_a_quiet_tunnel_are_told() {
    let (told, mut round_trips) = tokio::sync::mpsc::unbounded_channel();
    let observe = move |time: Duration| told.send(time).unwrap();
    let observed = Settings { round_trip: Some(crate::RoundTrip(Arc::new(observe))), ..settings() };
    let (client, server) = pair_with(1 << 20, true, observed, settings());
    let mut client = client.run();
    // Nobody answers yet: the first ping goes out after 25 s.
    sleep(28 * SECOND).await;
    assert!(round_trips.try_recv().is_err());
    let mut server = server.run();
    sleep(SECOND).await;
    assert_eq!(round_trips.try_recv(), Ok(3 * SECOND), "from the ping on");
    // So many bytes that the window grows: the pings that find out how far do not count.
    client.far.write_all(&[1; 600_000]).await.unwrap();
    server.far.write_all(&[2; 600_000]).await.unwrap();
    let mut got = [vec![0; 600_000], vec![0; 600_000]];
    let [at_app, at_destination] = &mut got;
    let (a, b) = tokio::join!(client.far.read_exact(at_app), server.far.read_exact(at_destination));
    assert!(a.is_ok() && b.is_ok() && round_trips.try_recv().is_err());
    sleep(26 * SECOND).await;
    assert_eq!(round_trips.try_recv(), Ok(Duration::ZERO));
}
