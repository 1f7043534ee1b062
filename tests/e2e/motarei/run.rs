//! `motarei run` by itself: signals, statuses, and when it lets its container go.

use std::time::{Duration, Instant};

use e2e::deploy::Plan;
use e2e::docker::{Container, docker, unique_label};
use e2e::eventually::{LONG, PATIENCE, eventually, within};
use e2e::load::visit;
use e2e::motarei::{Motarei, said};
use e2e::process::{Process, Signal};
use e2e::programs::connect;
use e2e::websocket::End;

use super::echo;

/// A worker without a supervisor, whose container is there.
pub(super) fn worker(proxy: &Motarei, label: &str, plan: &Plan, flags: &[&str]) -> (Process, String) {
    let mut command = plan.command(&proxy.wrapper(label, flags), "1");
    let process = Process::spawn("motarei run", &mut command).ends_by_term();
    let id = eventually("its container runs", || docker().running(label).into_iter().next());
    proxy.routes_to(&id);
    eventually("it knows its container", || process.stderr().contains("this is ours").then_some(()));
    (process, id)
}

#[test]
fn usr1_without_a_newer_container_changes_nothing() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let (mut process, _) = worker(&proxy, &label, &Plan::new(&label), &[]);
    for _ in 0..3 {
        process.signal(Signal::USR1);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            assert_eq!(visit(proxy.address()).as_deref(), Ok("1"));
        }
        assert!(process.exited().is_none(), "{}", process.stderr());
    }
    let _newer = Container::start(&label, &["GENERATION=2"]);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    assert_eq!(visit(proxy.address()).as_deref(), Ok("2"));
}

#[test]
fn without_usr1_a_newer_container_changes_nothing() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let (mut process, id) = worker(&proxy, &label, &Plan::new(&label), &[]);
    let newer = Container::start(&label, &["GENERATION=2"]);
    proxy.routes_to(&newer.id);
    assert!(process.exited().is_none());
    assert!(docker().running(&label).contains(&id), "nobody asked it to go");
}

#[test]
fn term_and_int_stop_the_container() {
    for signal in [Signal::TERM, Signal::INT] {
        let label = unique_label();
        let proxy = Motarei::start(&label, &[]);
        let (mut process, _) = worker(&proxy, &label, &Plan::new(&label), &[]);
        process.signal(signal);
        assert_eq!(process.wait(PATIENCE).code(), Some(0), "{signal:?}");
        assert!(docker().running(&label).is_empty(), "{signal:?}");
    }
}

#[test]
fn stop_timeout_is_what_a_deaf_container_gets() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).with("GRACE=deaf").flag("--stop-timeout=3600");
    let (mut process, _) = worker(&proxy, &label, &plan, &["--stop-timeout", "12s"]);
    let start = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(LONG).code(), Some(0), "not what the container says");
    assert!(start.elapsed() >= Duration::from_secs(12), "not the default: {:?}", start.elapsed());
    assert!(docker().running(&label).is_empty());
}

#[test]
fn a_second_term_kills_at_once() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).with("GRACE=deaf");
    let (mut process, id) = worker(&proxy, &label, &plan, &["--stop-timeout", "1h"]);
    process.signal(Signal::TERM);
    proxy.is(&id, "terminating"); // docker has sent it on
    within(LONG, "it is meant, and not the first one's echo", || {
        process.signal(Signal::TERM);
        process.exited()
    });
    assert_eq!(process.wait(PATIENCE).code(), Some(0), "it was wanted");
    let said = process.stderr();
    assert_eq!(said.matches("killing it").count(), 1, "however often it is said: {said}");
    eventually("its container is gone", || docker().running(&label).is_empty().then_some(()));
}

#[test]
fn drain_is_a_limit_for_the_old_containers_connections() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).with("SERVE=echo");
    let (mut process, _) = worker(&proxy, &label, &plan, &["--drain", "2s"]);
    let client = connect(proxy.address());
    echo(&client, "before");
    let newer = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&newer.id);
    let start = Instant::now();
    process.signal(Signal::USR1);
    echo(&client, "meanwhile");
    assert_ne!(End::of_stream(&client), End::Silence);
    assert!(start.elapsed() >= Duration::from_millis(1900), "not before: {:?}", start.elapsed());
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn the_status_of_what_it_runs_is_its_own() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let wrapper = proxy.wrapper(&label, &[]);
    for (plan, status) in [
        (Plan::new(&label).with("LIFE=0"), 3),
        (Plan::new(&label).image("wsgate-e2e:missing"), 125),
        (Plan::new(&label).flag("--entrypoint").flag("/bin/missing"), 127),
    ] {
        let output = plan.command(&wrapper, "1").output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{plan:?}: {}", said(&output));
    }
}

#[test]
fn what_it_cannot_protect_is_refused() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).flag("--detach");
    let output = plan.command(&proxy.wrapper(&label, &[]), "1").output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("-d"), "{}", said(&output));
    assert!(docker().running(&label).is_empty(), "nothing was started");
}
