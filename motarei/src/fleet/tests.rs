mod any_order;
mod wanted;

use super::*;
use crate::address::Reach;
use crate::container::tests::{container, endpoint};
use crate::container::{Network, Wishes};
use crate::event::What;
use crate::probe::Check;

const PLACE: &str = ":8000";

pub(crate) fn app() -> App {
    App {
        name: "web".to_owned(),
        labels: vec!["app=web".parse().unwrap()],
        rules: Vec::new(),
        bind: daemon::listen::Host::Ip("0.0.0.0".parse().unwrap()),
        reach: Reach::default(),
        check: Check::Tcp,
        proxy_protocol: None,
        connect_timeout: Duration::from_secs(3),
        hold: Duration::from_secs(10),
        drain: Duration::from_secs(30),
        old_idle_close: None,
    }
}

/// A fleet with a clock of its own.
pub(crate) struct Stand {
    pub(crate) fleet: Fleet,
    containers: Vec<Container>,
    now: Instant,
    /// Asked, and not answered yet.
    open: Vec<Order>,
}

impl Stand {
    pub(crate) fn new(app: App) -> Self {
        let fleet = Fleet::new(Arc::new(app));
        Self { fleet, containers: Vec::new(), now: Instant::now(), open: Vec::new() }
    }

    /// The engine lists these, the oldest first; each has an address of its own.
    pub(crate) fn list(&mut self, ids: &[&str]) {
        let address = |id: &str| format!("172.17.0.{}", id.bytes().map(u32::from).sum::<u32>() % 250 + 2);
        let one = |(created, id): (i64, &&str)| Container {
            network: Network::Own(vec![endpoint(&address(id), true)]),
            ..container(id, created)
        };
        self.containers = (0..).zip(ids).map(one).collect();
        self.fleet.list(&self.containers, self.now);
    }

    /// The engine lists what it listed before, with one changed.
    fn change(&mut self, id: &str, change: impl FnOnce(&mut Container)) {
        change(self.containers.iter_mut().find(|container| container.id == id).unwrap());
        self.fleet.list(&self.containers, self.now);
    }

    pub(crate) fn happens(&mut self, id: &str, what: What) {
        self.fleet.event(&Event { id: id.to_owned(), what }, self.now);
    }

    /// Who is asked now, and answers this.
    fn answer(&mut self, outcome: impl Fn(&str) -> Outcome) -> Vec<String> {
        let mut orders = std::mem::take(&mut self.open);
        orders.extend(self.fleet.due(self.now));
        for Order { of, addresses, .. } in &orders {
            let answers: Vec<_> = addresses.iter().map(|address| (*address, outcome(&of.id))).collect();
            self.fleet.probed(of, &answers, self.now);
        }
        orders.into_iter().map(|order| order.of.id).collect()
    }

    /// All are asked, and only this one answers yet: it is ready.
    pub(crate) fn is_first(&mut self, id: &str) {
        let (first, open): (Vec<_>, Vec<_>) =
            self.fleet.due(self.now).into_iter().partition(|order| order.of.id == id);
        self.open = open;
        for Order { of, addresses, .. } in first {
            self.fleet.probed(&of, &[(addresses[0], Outcome::Ready)], self.now);
        }
    }

    pub(crate) fn ready(&mut self, ids: &[&str]) -> Vec<String> {
        self.answer(|id| if ids.contains(&id) { Outcome::Ready } else { Outcome::Refused })
    }

    pub(crate) fn later(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn dial_fails(&mut self, id: &str, why: &Undialled) {
        let epoch = self.fleet.members[id].backends[&8000].epoch;
        self.fleet.undialled(&Key { id: id.to_owned(), port: 8000, epoch }, why, self.now);
    }

    fn refused(&mut self, id: &str) {
        self.dial_fails(id, &Undialled::Refused("refused".into()));
    }

    pub(crate) fn route(&self) -> Vec<String> {
        self.fleet.routes().at(PLACE).iter().map(|candidate| candidate.id.clone()).collect()
    }

    fn state(&self, id: &str) -> State {
        let member = &self.fleet.members[id];
        member.state(&member.backends[&8000])
    }
}

fn web(ids: &[&str]) -> Stand {
    let mut stand = Stand::new(app());
    stand.list(ids);
    stand
}

#[test]
fn the_old_container_serves_until_the_new_one_is_ready() {
    let mut stand = web(&["old"]);
    assert_eq!((stand.state("old"), stand.route().len()), (State::Seen, 0));
    assert_eq!(stand.ready(&["old"]), ["old"]);
    stand.list(&["old", "new"]);
    assert_eq!(stand.route(), ["old"]);
    for _ in 0..30 {
        assert_eq!(stand.ready(&["old"]), ["new"], "what is ready is not asked again");
        assert_eq!((stand.route(), stand.state("new")), (vec!["old".to_owned()], State::Probing));
        assert_eq!(stand.fleet.wake(), Some(stand.now + Duration::from_millis(100)));
        stand.later(100);
    }
    stand.ready(&["new"]);
    assert_eq!((stand.route(), stand.fleet.wake()), (vec!["new".into(), "old".into()], None));
}

#[test]
fn a_refused_dial_is_believed_and_a_silent_one_is_checked() {
    let mut stand = web(&["old", "new"]);
    stand.ready(&["old", "new"]);
    stand.refused("new");
    assert_eq!((stand.route(), stand.state("new")), (vec!["old".to_owned()], State::Probing));
    assert_eq!(stand.ready(&["new"]), ["new"], "asked at once");
    assert_eq!(stand.route(), ["new", "old"]);

    stand.dial_fails("new", &Undialled::TimedOut);
    assert_eq!(stand.route(), ["new", "old"], "one lost packet is no fault");
    assert_eq!(stand.answer(|_| Outcome::TimedOut), ["new"]);
    assert_eq!(stand.route(), ["old"]);
}

#[test]
fn what_is_late_hits_nobody_else() {
    let mut stand = web(&["a"]);
    let orders = stand.fleet.due(stand.now);
    stand.happens("a", What::Ended);
    stand.list(&["a"]);
    stand.ready(&["a"]);
    for order in orders {
        stand.fleet.probed(&order.of, &[(order.addresses[0], Outcome::Refused)], stand.now);
        stand.fleet.undialled(&order.of, &Undialled::Refused("late".into()), stand.now);
    }
    assert_eq!(stand.route(), ["a"]);
}

#[test]
fn a_container_that_is_told_to_end_is_the_last_choice() {
    for (signal, expected) in
        [(15, State::Terminating), (9, State::Terminating), (1, State::Ready), (3, State::Ready)]
    {
        let mut stand = web(&["old", "new"]);
        stand.ready(&["old", "new"]);
        stand.happens("new", What::Killed(signal));
        assert_eq!(stand.state("new"), expected, "signal {signal}");
        let first = if expected == State::Terminating { "old" } else { "new" };
        assert_eq!((stand.route()[0].as_str(), stand.route().len()), (first, 2), "signal {signal}");
    }
    let mut stand = web(&["only"]);
    stand.change("only", |container| container.stop_signal = 3);
    stand.ready(&["only"]);
    stand.happens("only", What::Killed(3));
    assert_eq!(
        (stand.state("only"), stand.route()),
        (State::Terminating, vec!["only".into()]),
        "better than nobody"
    );
    stand.refused("only");
    assert!(stand.route().is_empty());
}

#[test]
fn a_container_that_does_not_end_is_ready_again() {
    let mut stand = web(&["a"]);
    stand.ready(&["a"]);
    stand.happens("a", What::Killed(15));
    stand.later(20_000);
    stand.happens("a", What::Killed(15));
    assert!(stand.ready(&["a"]).is_empty(), "it is left alone");
    stand.later(9_999);
    assert!(stand.ready(&["a"]).is_empty());
    stand.later(1);
    assert_eq!(stand.ready(&["a"]), ["a"], "30 s after the first signal");
    assert_eq!(stand.state("a"), State::Ready);

    stand.happens("a", What::Killed(15));
    stand.later(30_000);
    stand.ready(&[]);
    assert_eq!((stand.state("a"), stand.route().len()), (State::Terminating, 0), "it does not accept");

    let mut stand = web(&["a"]);
    stand.ready(&["a"]);
    stand.happens("a", What::Killed(15));
    stand.refused("a");
    assert_eq!(stand.ready(&["a"]), ["a"], "a backlog that was full");
    assert_eq!(stand.state("a"), State::Terminating);
    stand.later(30_000);
    assert_eq!(stand.ready(&["a"]), ["a"]);
    assert_eq!(stand.state("a"), State::Ready);
}

#[test]
fn what_is_gone_is_dialled_no_more() {
    for what in [What::Ended, What::Disconnected] {
        let mut stand = web(&["old", "new"]);
        stand.ready(&["old", "new"]);
        let open = stand.fleet.members["new"].open.clone();
        stand.happens("new", what);
        assert_eq!((stand.route(), open.gone.is_cancelled()), (vec!["old".to_owned()], true));
        assert_eq!(open.ended.is_cancelled(), what == What::Ended, "another network may still carry");
    }
    let mut stand = web(&["old", "new"]);
    stand.ready(&["old", "new"]);
    let open = stand.fleet.members["new"].open.clone();
    stand.list(&["old"]);
    assert_eq!((stand.route(), open.ended.is_cancelled()), (vec!["old".to_owned()], true));
    stand.change("old", |container| container.phase = Phase::Down);
    assert!(stand.route().is_empty());
}

#[test]
fn one_that_ends_soon_after_it_was_ready_gives_back() {
    // Seconds it was ready for, whether dials were refused before it ended, whether it came back meanwhile.
    for (seconds, refused, again, told) in [
        (2, false, false, true),
        (2, true, false, true),
        (9, true, true, true),
        (11, false, false, false),
        (11, true, true, false),
    ] {
        let mut stand = web(&["old", "new"]);
        stand.ready(&["old", "new"]);
        stand.later(seconds * 1000);
        if refused {
            stand.refused("new");
            stand.ready(if again { &["new"] } else { &[] });
        }
        let new = stand.fleet.members.remove("new").unwrap();
        let lived = stand.fleet.gave_back(&new, stand.now);
        assert_eq!(lived.is_some(), told, "{seconds} {refused} {again}");
        assert_eq!(lived.unwrap_or_default().as_secs(), if told { seconds } else { 0 });
    }
    let mut stand = web(&["old", "new", "newest"]);
    stand.ready(&["new"]);
    for (id, why) in [("new", "no older one is ready"), ("newest", "it was never ready")] {
        let member = stand.fleet.members.remove(id).unwrap();
        assert_eq!(stand.fleet.gave_back(&member, stand.now), None, "{why}");
    }
}

#[test]
fn what_we_lack_ourselves_takes_no_container_off_the_route() {
    let mut stand = web(&["a"]);
    stand.ready(&["a"]);
    stand.dial_fails("a", &Undialled::TimedOut);
    for _ in 0..3 {
        assert_eq!(stand.answer(|_| Outcome::NotAsked), ["a"]);
        assert_eq!((stand.route(), stand.state("a")), (vec!["a".to_owned()], State::Ready));
        stand.later(100);
    }
    stand.ready(&[]);
    assert!(stand.route().is_empty());
}

#[test]
fn connections_through_another_network_go_on_and_count() {
    let mut stand = web(&["old", "new"]);
    stand.ready(&["old", "new"]);
    let before = stand.fleet.members["new"].open.clone();
    let _carried = before.one_more();
    stand.happens("new", What::Killed(15));
    stand.happens("new", What::Disconnected);
    assert_eq!(stand.route(), ["old"]);
    stand.change("new", |container| container.network = Network::Own(vec![endpoint("172.18.0.9", true)]));
    let after = stand.fleet.members["new"].open.clone();
    assert_eq!((after.count(), after.gone.is_cancelled()), (1, false));
    stand.ready(&["new"]);
    assert_eq!(stand.route(), ["old", "new"], "it was told to end, and that holds");
    stand.happens("new", What::Ended);
    assert!(before.ended.is_cancelled());
}

#[test]
fn a_paused_container_is_no_candidate() {
    let mut stand = web(&["old", "new"]);
    stand.ready(&["old", "new"]);
    stand.happens("new", What::Paused);
    assert_eq!((stand.route(), stand.state("new")), (vec!["old".to_owned()], State::Paused));
    assert!(stand.ready(&["new"]).is_empty());
    stand.happens("new", What::Unpaused);
    assert_eq!(stand.route(), ["old"], "asked first");
    assert_eq!(stand.ready(&["new"]), ["new"]);
    assert_eq!(stand.route(), ["new", "old"]);
    // The same, if the events were lost.
    stand.change("new", |container| container.phase = Phase::Paused);
    assert_eq!(stand.route(), ["old"]);
    stand.change("new", |container| container.phase = Phase::Running);
    stand.ready(&["new"]);
    assert_eq!(stand.route(), ["new", "old"]);
}

#[test]
fn a_healthcheck_hastens_and_demotes() {
    let mut stand = web(&["old", "new"]);
    stand.answer(|id| if id == "old" { Outcome::Ready } else { Outcome::Closed });
    assert_eq!(stand.route(), ["old"]);
    stand.happens("new", What::Health(Health::Healthy));
    assert_eq!(stand.answer(|_| Outcome::Closed), ["new"], "asked at once");
    assert_eq!(stand.route(), ["new", "old"], "somebody accepts, and the image says that it is well");
    stand.happens("new", What::Health(Health::Unhealthy));
    assert_eq!(stand.route(), ["old", "new"]);
    stand.happens("old", What::Health(Health::Unhealthy));
    assert_eq!(stand.route(), ["new", "old"], "the newest of the unhealthy");
}

#[test]
fn another_address_is_another_backend() {
    let mut stand = web(&["a"]);
    stand.ready(&["a"]);
    stand.change("a", |container| container.network = Network::Own(vec![endpoint("172.18.0.9", true)]));
    assert_eq!(stand.state("a"), State::Seen);
    stand.ready(&["a"]);
    assert_eq!(stand.fleet.routes().at(PLACE)[0].address.to_string(), "172.18.0.9:8000");
    stand.fleet.own(vec!["172.18.0.9:8000".parse().unwrap()], stand.now);
    stand.ready(&["a"]);
    assert_eq!(stand.fleet.routes().at(PLACE)[0].address.to_string(), "127.0.0.1:32768", "never ourselves");
}

#[test]
fn only_containers_with_all_labels_count() {
    let mut app = app();
    app.labels.push("env=prod".parse().unwrap());
    let mut stand = Stand::new(app);
    stand.list(&["a", "b"]);
    assert!(stand.fleet.members.is_empty());
    stand.change("b", |container| drop(container.labels.insert("env".into(), "prod".into())));
    assert_eq!(stand.fleet.members.keys().collect::<Vec<_>>(), ["b"]);
}
