use super::*;
use crate::app::App;
use crate::fleet::tests::app;
use crate::keeper::Kept;
use daemon::stop::Stop;
use tokio::sync::{Semaphore, mpsc};

/// Apps whose wishes are told by hand.
struct Stand {
    apps: Vec<App>,
    wanted: Vec<watch::Sender<Wanted>>,
    heard: watch::Receiver<Vec<Heard>>,
    own: watch::Receiver<Vec<SocketAddr>>,
    stop: Stop,
    running: JoinSet<()>,
}

impl Stand {
    fn start(apps: Vec<App>, sockets: Sockets) -> Self {
        let stop = Stop::manual();
        let given = apps.clone();
        let (fronts, wanted): (Vec<_>, Vec<_>) = apps.into_iter().map(|app| front(app, &stop)).unzip();
        let (own_in, own) = watch::channel(Vec::new());
        let (heard_in, heard) = watch::channel(Vec::new());
        let mut running = JoinSet::new();
        running.spawn(Listeners::new(fronts, sockets, own_in, heard_in).run(stop.draining.clone()));
        Self { apps: given, wanted, heard, own, stop, running }
    }

    fn want(&self, app: usize, open: &[&str], keep: &[&str]) {
        let rule = |text: &&str| text.parse::<Rule>().unwrap();
        let open = open.iter().map(|text| (self.apps[app].place(&rule(text)), rule(text))).collect();
        let keep = keep.iter().map(|text| self.apps[app].place(&rule(text))).collect();
        self.wanted[app].send_replace(Wanted { open, keep });
    }

    /// Waits until the listeners are these: of which app, where, and whether they are bound.
    async fn hears(&mut self, expected: &[(usize, &str, bool)]) {
        let is_so = |heard: &Vec<Heard>| {
            let heard = heard.iter().map(|one| (one.app, one.place.as_str(), one.error.is_none()));
            heard.collect::<BTreeSet<_>>() == expected.iter().copied().collect()
        };
        let is_so = tokio::time::timeout(Duration::from_secs(3600), self.heard.wait_for(is_so)).await.is_ok();
        assert!(is_so, "{expected:?}, but {:?}", *self.heard.borrow());
    }
}

fn front(app: App, stop: &Stop) -> (Arc<Front>, watch::Sender<Wanted>) {
    let (wanted_in, wanted) = watch::channel(Wanted::default());
    let routes = watch::channel(Arc::default()).1;
    let seen = watch::channel(crate::status::Seen::default()).1;
    let (reports, facts) = (mpsc::channel(1).0, mpsc::channel(1).0);
    let kept = Kept { routes, wanted, seen, reports, facts };
    let (room, slots) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
    let crowded = std::sync::Mutex::new(daemon::log::Limited::new(TICK));
    (
        Arc::new(Front {
            app: Arc::new(app),
            kept,
            door: room.clone(),
            room,
            slots,
            stop: stop.clone(),
            crowded,
            tally: crate::tally::tests::tally(),
        }),
        wanted_in,
    )
}

fn named(name: &str) -> App {
    App { name: name.to_owned(), ..app() }
}

/// A port that is free, and the socket that keeps it from others.
fn reserved() -> (std::net::TcpListener, u16) {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_closed_a_minute_after_no_container_has_its_port() {
    let mut stand = Stand::start(vec![named("web")], Sockets::default());
    let rule = "127.0.0.1:0=8000";
    stand.want(0, &[rule], &[rule]);
    stand.hears(&[(0, "127.0.0.1:0", true)]).await;
    assert_eq!(stand.own.borrow().len(), 1);

    stand.want(0, &[], &[rule]);
    sleep(LINGER * 2).await;
    stand.want(0, &[], &[]);
    sleep(LINGER / 2).await;
    stand.want(0, &[], &[rule]);
    sleep(TICK * 2).await;
    stand.want(0, &[], &[]);
    sleep(LINGER - TICK).await;
    assert_eq!(stand.heard.borrow().len(), 1, "the minute began anew");
    stand.hears(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_port_that_cannot_be_bound_is_tried_every_ten_seconds() {
    let mut stand = Stand::start(vec![named("web")], Sockets::default());
    let (socket, port) = reserved();
    let (place, rule) = (format!(":{port}"), format!("127.0.0.1:{port}=8000"));
    stand.want(0, &[&rule], &[&rule]);
    stand.hears(&[(0, &place, false)]).await;
    let began = Instant::now();
    stand.heard.wait_for(|heard| heard[0].failures == 3).await.unwrap();
    assert!(began.elapsed() >= RETRY * 2 && began.elapsed() < RETRY * 3, "{:?}", began.elapsed());
    assert!(stand.heard.borrow()[0].error.as_ref().unwrap().contains("in use"));
    drop(socket);
    stand.hears(&[(0, &place, true)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_label_takes_no_other_apps_port() {
    let given = App { rules: vec![":8443=443".parse().unwrap()], ..named("given") };
    let mut stand = Stand::start(vec![named("one"), named("two"), given], Sockets::default());
    let (socket, port) = reserved();
    drop(socket);
    let (first, second) = (format!("127.0.0.1:{port}=1"), format!("127.0.0.2:{port}=2"));
    stand.want(0, &[&first], &[&first]);
    stand.hears(&[(0, &format!(":{port}"), true)]).await;
    stand.want(1, &[&second, "127.0.0.1:8443=1"], &[&second, "127.0.0.1:8443=1"]);
    let refused = [(1, ":8443".to_owned()), (1, format!(":{port}"))];
    stand
        .hears(&[(0, &format!(":{port}"), true), (1, &refused[0].1, false), (1, &refused[1].1, false)])
        .await;
    let errors: BTreeSet<_> = stand.heard.borrow().iter().filter_map(|heard| heard.error.clone()).collect();
    let expected =
        ["127.0.0.1:8443 is the app given's".to_owned(), format!("127.0.0.2:{port} is the app one's")];
    assert_eq!(errors, expected.into());
}

#[tokio::test(start_paused = true)]
async fn an_inherited_socket_waits_for_its_app_and_stays() {
    let (socket, port) = reserved();
    socket.set_nonblocking(true).unwrap();
    let spare = vec![Listener::Tcp(tokio::net::TcpListener::from_std(socket).unwrap())];
    let mut stand = Stand::start(vec![named("one"), named("two")], Sockets { spare, ..Sockets::default() });
    let rule = format!("0.0.0.0:{port}={port}");
    stand.want(1, &[&rule], &[&rule]);
    stand.hears(&[(1, &format!(":{port}"), true)]).await;
    assert!(stand.heard.borrow()[0].inherited);
    stand.want(1, &[], &[]);
    sleep(LINGER * 2).await;
    assert_eq!(stand.heard.borrow().len(), 1);
    stand.stop.draining.cancel();
    while stand.running.join_next().await.is_some() {}
    assert!(stand.own.borrow().is_empty());
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
        "closed, so that only a successor accepts"
    );
}
