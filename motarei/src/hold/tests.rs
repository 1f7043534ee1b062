use super::*;
use crate::address::Path;
use crate::dial::tests::silent;
use crate::fleet::Key;
use crate::routes::Candidate;
use std::net::SocketAddr;
use tokio::net::{TcpListener, UnixStream};

const PLACE: &str = ":80";

fn candidate(address: SocketAddr) -> Candidate {
    let (path, drain, open) = (Path::Container, Duration::ZERO, Arc::default());
    Candidate { id: "a".into(), name: "a".into(), port: 80, epoch: 1, address, path, drain, open }
}

fn routes(candidates: Vec<Candidate>) -> Arc<Routes> {
    Arc::new(Routes([(PLACE.to_owned(), candidates)].into()))
}

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An app that holds for 10 s, and what its clients share.
struct Stand {
    app: Arc<App>,
    routes: watch::Sender<Arc<Routes>>,
    reports: (mpsc::Sender<Report>, mpsc::Receiver<Report>),
    room: Arc<Semaphore>,
    door: Arc<Semaphore>,
    tally: Tally,
    now: CancellationToken,
}

impl Stand {
    fn new(candidates: Vec<Candidate>) -> Self {
        Self {
            app: Arc::new(crate::fleet::tests::app()),
            routes: watch::Sender::new(routes(candidates)),
            reports: mpsc::channel(8),
            room: Arc::new(Semaphore::new(1)),
            door: Arc::new(Semaphore::new(1)),
            tally: crate::tally::tests::tally(),
            now: CancellationToken::new(),
        }
    }

    /// A client's task, and the client.
    fn client(&self) -> (tokio::task::JoinHandle<Option<Lost>>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (self.reach(Socket::from(ours)), theirs)
    }

    fn reach(&self, client: Socket) -> tokio::task::JoinHandle<Option<Lost>> {
        let (app, routes, reports) = (self.app.clone(), self.routes.subscribe(), self.reports.0.clone());
        let tally = self.tally.clone();
        let (room, door, now) = (self.room.clone(), self.door.clone(), self.now.clone());
        tokio::spawn(async move {
            let waiting = Waiting {
                app: &app,
                place: PLACE,
                routes,
                reports: &reports,
                room: &room,
                door: &door,
                tally: &tally,
                now: &now,
            };
            waiting.reach(&client).await.err()
        })
    }
}

#[tokio::test]
async fn a_client_waits_until_a_container_is_ready() {
    let stand = Stand::new(vec![]);
    let (task, _client) = stand.client();
    let (_listener, address) = listening().await;
    stand.routes.send_replace(routes(vec![candidate(address)]));
    assert_eq!(task.await.unwrap(), None);
    assert_eq!(stand.room.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_no_longer_than_the_hold() {
    let stand = Stand::new(vec![]);
    let (task, _client) = stand.client();
    let begun = Instant::now();
    assert_eq!(task.await.unwrap(), Some(Lost::NotReady));
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn only_so_many_wait_and_the_others_are_told() {
    let stand = Stand::new(vec![]);
    let (first, _one) = stand.client();
    while stand.room.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let (second, _two) = stand.client();
    assert_eq!(second.await.unwrap(), Some(Lost::TooMany));
    stand.now.cancel();
    assert_eq!(first.await.unwrap(), Some(Lost::Stopped));
}

#[tokio::test(start_paused = true)]
async fn who_resets_within_a_second_wanted_nothing() {
    tokio::time::advance(Duration::from_secs(2)).await;
    for (held, after, lost) in [
        (false, 0, Lost::ClientGone),
        (true, 0, Lost::ClientGone),
        (true, 999, Lost::ClientGone),
        (false, 1000, Lost::ClientGone),
        (true, 1000, Lost::GaveUp),
    ] {
        let came = Instant::now() - Duration::from_millis(after);
        assert_eq!(gone(held, came), lost, "{held} after {after} ms");
    }
}

#[tokio::test]
async fn a_reset_ends_the_wait_and_an_end_of_file_does_not() {
    let stand = Stand::new(vec![]);
    let (listener, address) = listening().await;
    for reset in [false, true] {
        let client = tokio::net::TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let task = stand.reach(Socket::from(accepted));
        while stand.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        if reset {
            client.set_zero_linger().unwrap();
            drop(client);
            assert!(matches!(task.await.unwrap(), Some(Lost::ClientGone | Lost::GaveUp)));
        } else {
            let half_closed = client.into_std().unwrap();
            half_closed.shutdown(std::net::Shutdown::Write).unwrap();
            stand.routes.send_replace(routes(vec![candidate(address)]));
            assert_eq!(task.await.unwrap(), None, "the answer to its request is still wanted");
            let _ = listener.accept().await.unwrap();
            stand.routes.send_replace(routes(vec![]));
        }
    }
}

#[tokio::test]
async fn a_reset_before_the_wait_is_no_failure() {
    let (_silent, _fill, hanging) = silent();
    let stand = Stand::new(vec![candidate(hanging)]);
    let (listener, address) = listening().await;
    let client = tokio::net::TcpStream::connect(address).await.unwrap();
    let task = stand.reach(Socket::from(listener.accept().await.unwrap().0));
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(task.await.unwrap(), Some(Lost::ClientGone));
    assert!(!Lost::COUNTED.contains(&Lost::ClientGone));
}

#[tokio::test]
async fn two_silent_dials_are_two() {
    let (metrics, registry) = crate::metrics::Metrics::declare();
    let (_silent, _fill, hanging) = silent();
    let other = Candidate { epoch: 2, ..candidate(hanging) };
    let mut stand = Stand::new(vec![candidate(hanging), other]);
    stand.tally = Tally::of("web", &metrics);
    let app = Arc::make_mut(&mut stand.app);
    (app.connect_timeout, app.hold) = (Duration::from_millis(1200), Duration::from_millis(1));
    let (task, _client) = stand.client();
    assert_eq!(task.await.unwrap(), Some(Lost::Unreached));
    let text = registry.expose(monitor::Exposition::Prometheus);
    assert!(text.contains("motarei_dials_failed_total{reason=\"silent\"} 2\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_there_and_refuses_is_told_from_none() {
    let (gone, refusing) = listening().await;
    drop(gone);
    let stand = Stand::new(vec![candidate(refusing)]);
    let (task, _client) = stand.client();
    assert_eq!(task.await.unwrap(), Some(Lost::Unreached));
}

#[tokio::test]
async fn a_refusal_is_told_and_the_client_goes_on_waiting() {
    let (gone, refusing) = listening().await;
    drop(gone);
    let mut stand = Stand::new(vec![candidate(refusing)]);
    let (task, _client) = stand.client();
    let report = stand.reports.1.recv().await.unwrap();
    assert_eq!(report.of, Key { id: "a".into(), port: 80, epoch: 1 });
    assert!(matches!(report.why, Undialled::Refused(_)));
    let (_listener, address) = listening().await;
    stand.routes.send_replace(routes(vec![candidate(address)]));
    assert_eq!(task.await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_are_let_in_by_turns() {
    let mut stand = Stand::new(vec![]);
    stand.room = Arc::new(Semaphore::new(3));
    let clients: Vec<_> = (0..3).map(|_| stand.client()).collect();
    while stand.room.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let (_listener, address) = listening().await;
    let begun = Instant::now();
    stand.routes.send_replace(routes(vec![candidate(address)]));
    for (task, _client) in clients {
        assert_eq!(task.await.unwrap(), None);
    }
    assert_eq!(begun.elapsed(), ACCEPTED * 2, "one at once here, and the others after it");
}
