//! motarei itself is restarted: start_server keeps its sockets.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::deploy::Plan;
use e2e::docker::{Container, IMAGE_PORT, unique_label};
use e2e::eventually::{PATIENCE, eventually};
use e2e::load::Load;
use e2e::motarei::Motarei;
use e2e::port;
use e2e::process::Signal;
use e2e::programs::{connect, needed, program};

use super::echo;

const HUPS: usize = 20;

/// motarei below start_server, which listens on this address.
fn supervised(address: SocketAddr, label: &str) -> Motarei {
    let mut command = Command::new(needed("start_server", "libserver-starter-perl"));
    command.args(["--port", &address.to_string(), "--interval", "1", "--"]).arg(program("motarei"));
    let listen = format!("{address}={IMAGE_PORT}");
    let mut proxy = Motarei::from_command(command, &["--label", label, "--listen", &listen, "--drain", "2m"]);
    proxy.process = proxy.process.ends_by_term();
    eventually("the first generation listens", || listening(&proxy, 1));
    proxy
}

fn listening(proxy: &Motarei, generations: usize) -> Option<()> {
    (proxy.process.events_of("listening").len() >= generations).then_some(())
}

/// Restarts it, and waits until the old one is told to go.
fn hup(proxy: &mut Motarei, generation: usize) {
    proxy.process.signal(Signal::HUP);
    eventually("the next generation listens", || listening(proxy, generation));
    eventually("the old generation is told to go", || {
        (proxy.process.stderr().matches("killing old workers").count() + 1 >= generation).then_some(())
    });
}

#[test]
fn twenty_restarts_under_load_refuse_nobody() {
    let (label, address) = (unique_label(), SocketAddr::from(([127, 0, 0, 1], port::free())));
    let mut proxy = supervised(address, &label);
    let _container = Container::start(&label, &[]);
    let load = Load::on(address);
    eventually("it serves", || (load.answers("1") >= 30).then_some(()));
    for generation in 2..HUPS + 2 {
        hup(&mut proxy, generation);
    }
    let before = load.answers("1");
    eventually("the last generation serves", || (load.answers("1") >= before + 50).then_some(()));
    let visits = load.stop();
    assert_eq!(visits.failures(), Vec::<String>::new());
    assert!(visits.0.len() > HUPS * 100, "a second for each at least");
    let inherited = proxy.process.events_of("listening");
    assert!(inherited.iter().all(|event| event.field("inherited").is_some_and(|value| value == true)));
}

#[test]
fn a_connection_lives_on_through_restarts() {
    let (label, address) = (unique_label(), SocketAddr::from(([127, 0, 0, 1], port::free())));
    let mut proxy = supervised(address, &label);
    let _container = Container::start(&label, &["SERVE=echo"]);
    let client = connect(address);
    echo(&client, "before");
    for generation in 2..4 {
        hup(&mut proxy, generation);
        echo(&client, "meanwhile");
    }
}

#[test]
fn run_waits_for_connections_that_a_former_generation_carries() {
    let (label, address) = (unique_label(), SocketAddr::from(([127, 0, 0, 1], port::free())));
    let mut proxy = supervised(address, &label);
    let plan = Plan::new(&label).with("SERVE=echo");
    let (mut worker, _) = super::run::worker(&proxy, &label, &plan, &[]);
    let client = connect(address);
    echo(&client, "before");
    let former = proxy.shows("who answers", |status| status.0["pid"].as_u64());
    hup(&mut proxy, 2);
    let new = Container::start(&label, &[]);
    proxy.shows("the next generation answers, and routes to the new container", |status| {
        (status.0["pid"] != former && status.routed()? == new.id).then_some(())
    });
    worker.signal(Signal::USR1);
    let told = Instant::now();
    // Twice as long as it takes when there is no connection.
    while told.elapsed() < Duration::from_secs(4) {
        echo(&client, "meanwhile");
    }
    assert!(worker.exited().is_none(), "{}", worker.stderr());
    drop(client);
    assert_eq!(worker.wait(PATIENCE).code(), Some(0));
}
