//! The deploy itself, without anything of ours in between: what visitors of a published port get to see, and
//! that the harness sees it too.

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::{Container, unique_label};
use e2e::eventually::eventually;
use e2e::load::Load;

#[test]
fn a_published_port_accepts_before_the_application_listens() {
    let booting = Container::start(&unique_label(), &["BOOT=1"]);
    let load = Load::on(booting.published());
    eventually("it has booted", || (load.answers("1") >= 50).then_some(()));
    let visits = load.stop();
    let failures = visits.failures();
    assert!(failures.len() >= 50, "half a second of failures at least: {failures:?}");
    assert!(
        failures.iter().all(|failure| failure.contains("no answer") || failure.contains("instead of 200"))
    );
}

#[test]
fn a_healthy_container_answers_every_visitor() {
    let container = Container::start(&unique_label(), &["GENERATION=one"]);
    eventually("it has booted", || e2e::load::visit(container.published()).ok());
    let load = Load::on(container.published());
    eventually("a second has passed", || (load.answers("one") >= 100).then_some(()));
    let visits = load.stop();
    assert_eq!(visits.failures(), Vec::<String>::new());
    assert!(visits.bodies().into_iter().eq(["one"]), "{:?}", visits.bodies());
}

#[test]
fn a_hup_replaces_the_container() {
    let label = unique_label();
    let plan = Plan::new(&label);
    let mut deploy = Deploy::start(&plan, Manner::default());
    let first = deploy.container();
    deploy.hup(&plan);
    deploy.started(2);
    deploy.alone(2);
    assert_ne!(first, deploy.container());
}
