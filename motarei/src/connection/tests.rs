use super::*;
use crate::fleet::tests::app;
use crate::routes::{Open, Routes};
use daemon::accept;
use daemon::listen;
use relay::proxy::{self, Version};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

const PLACE: &str = ":80";

/// A front with one container.
struct Stand {
    front: Arc<Front>,
    container: TcpListener,
    open: Arc<Open>,
    reports: mpsc::Receiver<Report>,
}

impl Stand {
    async fn new(change: impl FnOnce(&mut App), path: Path) -> Self {
        let container = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = Arc::<Open>::default();
        let candidate = Candidate {
            id: "a".into(),
            name: "a".into(),
            port: 80,
            epoch: 1,
            address: container.local_addr().unwrap(),
            path,
            drain: Duration::from_secs(1),
            open: open.clone(),
        };
        let mut app = app();
        change(&mut app);
        let routes = Arc::new(Routes([(PLACE.to_owned(), vec![candidate])].into()));
        let (reports_in, reports) = mpsc::channel(1);
        let kept = Kept {
            routes: watch::channel(routes).1,
            wanted: watch::channel(Default::default()).1,
            seen: watch::channel(Default::default()).1,
            reports: reports_in,
            facts: mpsc::channel(1).0,
        };
        let (room, slots) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let crowded = Mutex::new(Limited::new(Duration::from_secs(1)));
        let front = Front {
            app: Arc::new(app),
            kept,
            door: room.clone(),
            room,
            slots,
            stop: Stop::manual(),
            crowded,
            tally: crate::tally::tests::tally(),
        };
        Self { front: Arc::new(front), container, open, reports }
    }

    /// A client of a listener of the front.
    async fn client(&self) -> TcpStream {
        let listener = listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap().remove(0);
        let address = listener.tcp_addr().unwrap().unwrap();
        let (front, place) = (self.front.clone(), Arc::from(PLACE));
        let draining = front.stop.draining.clone();
        tokio::spawn(accept::serve(listener, draining, move |accepted| {
            super::accept(&front, &place, accepted)
        }));
        TcpStream::connect(address).await.unwrap()
    }
}

#[tokio::test]
async fn a_container_is_told_who_connects() {
    for version in [Version::V1, Version::V2] {
        let stand = Stand::new(|app| app.proxy_protocol = Some(version), Path::Container).await;
        let mut client = stand.client().await;
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let (mut accepted, _) = stand.container.accept().await.unwrap();
        let mut told = Vec::new();
        accepted.read_to_end(&mut told).await.unwrap();
        let parsed = proxy::parse(&told).unwrap();
        let (source, destination) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        assert_eq!(parsed.header, Header::Tcp { source, destination });
        assert_eq!(&told[parsed.length..], b"hello");
    }
}

#[tokio::test]
async fn above_the_limit_a_connection_is_closed() {
    let stand = Stand::new(|_| {}, Path::Container).await;
    let mut first = stand.client().await;
    let (accepted, _) = stand.container.accept().await.unwrap();
    assert_eq!(stand.open.count(), 1);
    let mut second = stand.client().await;
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0);
    drop(accepted);
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
    drop(first);
    stand.front.stop.tracker.close();
    stand.front.stop.tracker.wait().await;
    assert_eq!((stand.open.count(), stand.front.slots.available_permits()), (0, 1));
}

#[tokio::test]
async fn a_published_port_that_closes_at_once_is_asked_again() {
    for (path, answer, doubted) in
        [(Path::Published, "", true), (Path::Published, "x", false), (Path::Container, "", false)]
    {
        let mut stand = Stand::new(|_| {}, path).await;
        let mut client = stand.client().await;
        let (mut accepted, _) = stand.container.accept().await.unwrap();
        accepted.write_all(answer.as_bytes()).await.unwrap();
        drop(accepted);
        client.read_to_end(&mut Vec::new()).await.unwrap();
        drop(client);
        stand.front.stop.tracker.close();
        stand.front.stop.tracker.wait().await;
        assert_eq!(stand.reports.try_recv().is_ok(), doubted, "{path:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_is_cut_when_its_time_to_drain_is_over() {
    let stand = Stand::new(|_| {}, Path::Container).await;
    let mut client = stand.client().await;
    let (_accepted, _) = stand.container.accept().await.unwrap();
    stand.front.stop.draining.cancel();
    let begun = Instant::now();
    assert!(client.read(&mut [0]).await.is_err(), "a reset: it was not all");
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_ends_when_its_container_did_without_a_word() {
    let stand = Stand::new(|_| {}, Path::Container).await;
    let mut client = stand.client().await;
    let (mut silent, _) = stand.container.accept().await.unwrap();
    silent.write_all(b"x").await.unwrap();
    stand.open.ended.cancel();
    client.read_exact(&mut [0]).await.unwrap();
    assert!(client.read(&mut [0]).await.is_err(), "a reset: it was not all");
}
