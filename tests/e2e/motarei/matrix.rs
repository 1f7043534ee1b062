//! Deploys under load: slow and quick applications, late and early signals, protected and not.

use std::time::Duration;

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::unique_label;
use e2e::eventually::eventually;
use e2e::load::{Load, Visits};
use e2e::motarei::Motarei;

use super::{Wrap, alone, below_run};

/// How long a client is held by default.
const HOLD: Duration = Duration::from_secs(10);

/// How many of a deploy's visitors may be lost: a request inside a container that is killed at once.
const INSIDE: usize = 1;

/// What the visitors of a deploy saw, and the proxy, which tells its story if that was not right.
struct Deployed {
    visits: Visits,
    _proxy: Motarei,
}

/// Deploys the application, which boots for so long.
fn deployed(boot: &str, kill_old_delay: u32, wrap: Wrap, flags: &[&str]) -> Deployed {
    let label = unique_label();
    let proxy = Motarei::start(&label, flags);
    let wrapper = wrap(&proxy, &label);
    let plan = Plan::new(&label).with(&format!("BOOT={boot}"));
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay, wrapper });
    let load = Load::on(proxy.address());
    eventually("the first generation answers", || (load.answers("1") >= 50).then_some(()));
    deploy.hup(&plan);
    deploy.alone(2);
    let before = load.answers("2");
    eventually("the second generation answers alone", || (load.answers("2") >= before + 100).then_some(()));
    Deployed { visits: load.stop(), _proxy: proxy }
}

fn nobody_is_lost(deployed: &Deployed, allowed: usize) {
    let visits = &deployed.visits;
    let failures = visits.failures();
    assert!(failures.len() <= allowed, "of {}: {failures:#?}", visits.0.len());
    assert!(visits.bodies().into_iter().eq(["1", "2"]), "{:?}", visits.bodies());
    assert_eq!(
        visits.late("1", "2"),
        Vec::<String>::new(),
        "who comes after the new one was ready is served by it"
    );
    assert!(visits.longest() < HOLD, "{:?}", visits.longest());
}

/// A test for each `name: boot, KILL_OLD_DELAY`, alone and below `motarei run`.
macro_rules! matrix {
    ($($name:ident: $boot:literal, $delay:literal, $lost:expr;)*) => {
        mod alone {
            $(#[test] fn $name() {
                super::nobody_is_lost(&super::deployed($boot, $delay, super::super::alone, &[]), $lost);
            })*
        }
        mod below_run {
            $(#[test] fn $name() {
                super::nobody_is_lost(&super::deployed($boot, $delay, super::super::below_run, &[]), 0);
            })*
        }
    };
}

matrix! {
    a_boot_of_0_s_and_a_kill_at_once: "0", 0, super::INSIDE;
    a_boot_of_0_7_s_and_a_kill_at_once: "0.7", 0, super::INSIDE;
    a_boot_of_3_s_and_a_kill_at_once: "3", 0, super::INSIDE;
    a_boot_of_0_s_and_a_kill_after_5_s: "0", 5, 0;
    a_boot_of_0_7_s_and_a_kill_after_5_s: "0.7", 5, 0;
    a_boot_of_3_s_and_a_kill_after_5_s: "3", 5, 0;
}

#[test]
fn by_the_published_port_nobody_is_lost_either() {
    let flags = ["--connect-via", "published"];
    nobody_is_lost(&deployed("0.7", 5, alone, &flags), 0);
    nobody_is_lost(&deployed("0.7", 0, below_run, &flags), 0);
}

#[test]
fn without_a_proxy_to_ask_run_protects_the_old_one_by_itself() {
    // The drain is how long it waits when it cannot see the connections of another namespace.
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let mut wrapper = proxy.wrapper(&label, &["--drain", "3s"]);
    let status = wrapper.iter().position(|word| word == "--status").unwrap() + 1;
    wrapper[status] = format!("unix:{}", proxy.scratch().file("nobody.sock"));
    let plan = Plan::new(&label).with("BOOT=2");
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay: 0, wrapper });
    let load = Load::on(proxy.address());
    eventually("the first generation answers", || (load.answers("1") >= 50).then_some(()));
    deploy.hup(&plan);
    deploy.alone(2);
    nobody_is_lost(&Deployed { visits: load.stop(), _proxy: proxy }, 0);
}
