//! Which container new connections go to: the newest that is ready.

use std::time::{Duration, Instant};

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::{Container, IMAGE_PORT, unique_label};
use e2e::eventually::{eventually, within};
use e2e::load::{Load, visit};
use e2e::motarei::Motarei;

/// What a dial that nobody answers costs: more than anything else does on a busy machine.
const TIME_OUT: Duration = Duration::from_secs(20);

/// A proxy and two ready containers, the older first.
fn two() -> (Motarei, Container, Container) {
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--proxy-connect-timeout", &format!("{}s", TIME_OUT.as_secs())]);
    let old = Container::start(&label, &["GENERATION=old"]);
    proxy.routes_to(&old.id);
    let new = Container::start(&label, &["GENERATION=new", "GRACE=deaf"]);
    proxy.routes_to(&new.id);
    (proxy, old, new)
}

#[test]
fn a_paused_container_gets_no_visitors() {
    let (proxy, old, new) = two();
    assert_eq!(visit(proxy.address()).as_deref(), Ok("new"));
    new.tell(&["pause"]);
    proxy.routes_to(&old.id);
    proxy.is(&new.id, "paused");
    assert_eq!(visit(proxy.address()).as_deref(), Ok("old"));
    new.tell(&["unpause"]);
    proxy.routes_to(&new.id);
    assert_eq!(visit(proxy.address()).as_deref(), Ok("new"));
}

#[test]
fn visitors_of_the_only_container_wait_while_it_is_paused() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let only = Container::start(&label, &[]);
    proxy.routes_to(&only.id);
    only.tell(&["pause"]);
    proxy.is(&only.id, "paused");
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| visit(proxy.address()));
        proxy.shows("one is held", |status| (status.held() == 1).then_some(()));
        only.tell(&["unpause"]);
        assert_eq!(visitor.join().unwrap().as_deref(), Ok("1"));
    });
}

#[test]
fn one_that_is_told_to_end_and_does_not_is_ready_again_after_30_s() {
    let (proxy, old, new) = two();
    let told = Instant::now();
    new.tell(&["kill", "--signal", "TERM"]);
    proxy.is(&new.id, "terminating");
    proxy.routes_to(&old.id);
    assert_eq!(visit(proxy.address()).as_deref(), Ok("old"));
    within(Duration::from_secs(45), "it counts as ready again", || {
        proxy.process.warned("it counts as ready").then_some(())
    });
    assert!(told.elapsed() >= Duration::from_secs(29), "not before");
    proxy.routes_to(&new.id);
}

#[test]
fn another_signal_means_nothing() {
    let (proxy, _old, new) = two();
    new.tell(&["kill", "--signal", "USR1"]); // which ends a shell that does not trap it, unless it is PID 1
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(500) {
        assert_eq!(visit(proxy.address()).as_deref(), Ok("new"));
    }
}

#[test]
fn a_container_without_published_ports_is_reached_at_its_own_address() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let container = Container::with_flags(&label, &[], &[]);
    proxy.routes_to(&container.id);
    assert_eq!(visit(proxy.address()).as_deref(), Ok("1"));
    let status = proxy.status().unwrap();
    let seen = status.container(&container.id).unwrap();
    assert_eq!((seen["path"].as_str(), seen["published_address"].as_str()), (Some("container"), None));
    let ip = container.tell(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}"]);
    assert_eq!(seen["container_address"].as_str(), Some(format!("{ip}:{IMAGE_PORT}").as_str()));
}

#[test]
fn a_container_that_is_removed_costs_nobody_a_time_out() {
    let (proxy, _old, new) = two();
    let load = Load::on(proxy.address());
    eventually("there are visitors", || (load.answers("new") >= 30).then_some(()));
    new.tell(&["rm", "--force"]);
    eventually("the old one serves them", || (load.answers("old") >= 50).then_some(()));
    let visits = load.stop();
    super::only_those_inside_are_lost(&visits);
    assert!(visits.longest() < TIME_OUT / 2, "{:?}", visits.longest());
}

#[test]
fn two_deploys_within_a_second_lose_nobody() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).with("BOOT=0.7");
    let wrapper = proxy.wrapper(&label, &[]);
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay: 0, wrapper });
    proxy.routes();
    let load = Load::on(proxy.address());
    load.flows("1");
    deploy.hup(&plan);
    // Whichever container is there first: what began last is the newest.
    eventually("the second generation is started", || {
        (deploy.supervisor.stderr().matches("starting new worker").count() == 2).then_some(())
    });
    deploy.hup(&plan);
    deploy.alone(3);
    let before = load.answers("3");
    eventually("the third generation answers alone", || (load.answers("3") >= before + 50).then_some(()));
    let visits = load.stop();
    assert_eq!(visits.failures(), Vec::<String>::new());
    let late = [visits.late("1", "3"), visits.late("2", "3")].concat();
    assert_eq!(late, Vec::<String>::new(), "who comes after the newest was ready is served by it");
}
