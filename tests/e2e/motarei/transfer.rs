//! Every byte of a connection arrives, whatever is deployed meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::{Container, docker, unique_label};
use e2e::motarei::Motarei;
use e2e::pattern::{self, Pattern};
use e2e::programs::{connect, half_close};

use super::echo;

const MIB: usize = 1 << 20;

/// Sends the pattern, has it come back, and ends with a half-close.
fn carry(client: &TcpStream, total: usize) {
    thread::scope(|scope| {
        scope.spawn(|| {
            pattern::write(client, 1, total);
            half_close(client);
        });
        pattern::read(client, 1, total);
    });
    assert_eq!((&mut &*client).read(&mut [0]).unwrap(), 0, "EOF follows EOF");
}

#[test]
fn a_half_close_passes_both_ways() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let container = Container::start(&label, &["SERVE=echo"]);
    proxy.routes_to(&container.id);
    for total in [1, 70_000, 3 * MIB] {
        carry(&connect(proxy.address()), total);
    }
}

#[test]
fn a_gib_both_ways_taken_together_passes_a_deploy() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let plan = Plan::new(&label).with("SERVE=echo");
    let wrapper = proxy.wrapper(&label, &["--drain", "10m"]); // a GiB takes its time on a busy machine
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay: 0, wrapper });
    let first = deploy.container();
    proxy.routes_to(&first);
    let (client, other) = (connect(proxy.address()), connect(proxy.address()));
    let mut sent = Pattern::new(9);
    echo(&other, "both are there");
    (&client).write_all(&sent.take(70_000)).unwrap();
    deploy.hup(&plan);
    deploy.started(2);
    proxy.shows("the new one serves", |status| (status.routed()? != first).then_some(()));
    let mut got = vec![0; 70_000];
    (&client).read_exact(&mut got).unwrap();
    assert!(got == Pattern::new(9).take(70_000), "the bytes from before the deploy");
    drop(other);
    carry(&client, 512 * MIB);
    assert!(deploy.generations().contains(&1), "run keeps the old one while it carries a connection");
    drop(client);
    deploy.alone(2);
    assert!(!docker().running(&label).contains(&first));
}
