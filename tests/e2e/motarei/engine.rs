//! The engine away, cut off, and silent: what was known goes on, what is new is found.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::docker::{Container, Network, Socket, unique_label};
use e2e::eventually::{eventually, within};
use e2e::load::{Load, visit};
use e2e::motarei::Motarei;

/// Between two lists there are 5 s, a call may take 5 s, and then there is the boot.
const FOUND: Duration = Duration::from_secs(15);

const AWAY: &str = "the engine cannot be followed; what was known stays, trying again";

fn behind(socket: &Socket, label: &str) -> Motarei {
    Motarei::start(label, &["--docker-host", &socket.host()])
}

fn found(proxy: &Motarei, container: &Container) {
    within(FOUND, "the new container is found", || (proxy.status()?.routed()? == container.id).then_some(()));
}

#[test]
fn an_engine_that_is_stopped_and_started_costs_no_visitor() {
    let (label, socket) = (unique_label(), Socket::new());
    let proxy = behind(&socket, &label);
    let old = Container::start(&label, &["GENERATION=old"]);
    proxy.routes_to(&old.id);
    let load = Load::on(proxy.address());
    socket.stop();
    proxy.shows("the engine is away", |status| status.0["engine"]["error"].as_str().map(drop));
    let new = Container::start(&label, &["GENERATION=new"]);
    let before = load.answers("old");
    eventually("what was known serves", || (load.answers("old") >= before + 300).then_some(()));
    assert_eq!(load.answers("new"), 0, "nobody can know of it");
    let reasons: Vec<_> =
        proxy.process.events_of(AWAY).iter().filter_map(|event| event.text("error")).collect();
    let distinct: BTreeSet<_> = reasons.iter().collect();
    assert_eq!(distinct.len(), reasons.len(), "a line a change, not a line a try: {reasons:#?}");
    socket.start();
    found(&proxy, &new);
    eventually("the new one serves", || (load.answers("new") >= 50).then_some(()));
    assert_eq!(load.stop().failures(), Vec::<String>::new());
    proxy.shows("the engine is back", |status| status.0["engine"]["error"].is_null().then_some(()));
}

#[test]
fn a_container_that_dies_while_the_engine_is_away_is_no_longer_chosen() {
    let (label, socket) = (unique_label(), Socket::new());
    let proxy = behind(&socket, &label);
    let old = Container::start(&label, &["GENERATION=old"]);
    // Another test's container must not get its address when it is gone.
    let network = Network::new();
    let new = Container::with_flags(&label, &["--network", &network.name], &["GENERATION=new"]);
    proxy.routes_to(&new.id);
    socket.stop();
    new.tell(&["stop"]);
    // Its address does not answer any more, and no event says so: the dial has to time out, the next is chosen.
    assert_eq!(visit(proxy.address()).as_deref(), Ok("old"));
    proxy.routes_to(&old.id);
}

#[test]
fn an_event_stream_that_is_cut_is_opened_again() {
    let (label, socket) = (unique_label(), Socket::new());
    let proxy = behind(&socket, &label);
    for _ in 0..3 {
        let container = Container::start(&label, &[]);
        found(&proxy, &container);
        socket.cut();
    }
}

#[test]
fn an_event_stream_that_falls_silent_is_noticed() {
    let (label, socket) = (unique_label(), Socket::new());
    let proxy = behind(&socket, &label);
    let old = Container::start(&label, &["GENERATION=old"]);
    found(&proxy, &old);
    let load = Load::on(proxy.address());
    eventually("it serves", || (load.answers("old") >= 30).then_some(()));
    socket.stall();
    let new = Container::start(&label, &["GENERATION=new"]);
    found(&proxy, &new);
    eventually("the new one serves", || (load.answers("new") >= 30).then_some(()));
    assert_eq!(load.stop().failures(), Vec::<String>::new());
}

#[test]
fn an_engine_that_is_not_there_at_start_is_waited_for() {
    let (label, socket) = (unique_label(), Socket::new());
    socket.stop();
    let mut proxy = behind(&socket, &label);
    proxy.shows("there is no engine", |status| status.0["engine"]["error"].as_str().map(drop));
    assert!(proxy.process.exited().is_none(), "it waits");
    let address = proxy.address();
    let container = Container::start(&label, &[]);
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| visit(address));
        proxy.shows("the visitor is held", |status| (status.held() == 1).then_some(()));
        socket.start();
        assert_eq!(visitor.join().unwrap().as_deref(), Ok("1"));
    });
    found(&proxy, &container);
}
