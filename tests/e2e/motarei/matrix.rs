//! Deploys under load: slow and quick applications, late and early signals, protected and not.

use std::time::Duration;

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::unique_label;
use e2e::eventually::eventually;
use e2e::load::{Load, Visits};
use e2e::motarei::Motarei;

use super::{Wrap, alone, below_run};

/// Longer than a boot takes on a busy machine: those who are held are not to be lost here.
const HOLD: &str = "30s";

/// How much later than the first one anybody is served who waited for the same container. Half a second is
/// enough on an idle machine.
const LATER: Duration = Duration::from_secs(15);

/// What the visitors of a deploy saw, and the proxy, which tells its story if that was not right.
struct Deployed {
    visits: Visits,
    _proxy: Motarei,
}

/// Deploys the application, which boots for so long.
fn deployed(boot: &str, kill_old_delay: u32, wrap: Wrap, flags: &[&str]) -> Deployed {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[&["--hold", HOLD], flags].concat());
    let wrapper = wrap(&proxy, &label);
    let plan = Plan::new(&label).with(&format!("BOOT={boot}"));
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay, wrapper });
    proxy.routes();
    let load = Load::on(proxy.address());
    load.flows("1");
    deploy.hup(&plan);
    deploy.alone(2);
    let before = load.answers("2");
    eventually("the second generation answers alone", || (load.answers("2") >= before + 100).then_some(()));
    Deployed { visits: load.stop(), _proxy: proxy }
}

fn nobody_is_lost(deployed: &Deployed) {
    assert_eq!(deployed.visits.failures(), Vec::<String>::new(), "of {}", deployed.visits.0.len());
    the_newest_serves(deployed);
}

/// Nobody is lost, unless the machine is so busy that the old container was killed before the new one was ready:
/// then those inside it are.
fn nobody_is_lost_if_it_was_ready(deployed: &Deployed) {
    if deployed.visits.failed_before("2") {
        only_those_inside_are_lost(deployed);
    } else {
        nobody_is_lost(deployed);
    }
}

fn only_those_inside_are_lost(deployed: &Deployed) {
    super::only_those_inside_are_lost(&deployed.visits);
    the_newest_serves(deployed);
}

fn the_newest_serves(Deployed { visits, .. }: &Deployed) {
    assert!(visits.bodies().into_iter().eq(["1", "2"]), "{:?}", visits.bodies());
    let late = visits.late("1", "2");
    assert_eq!(late, Vec::<String>::new(), "who comes after the new one was ready is served by it");
    assert!(visits.longest_once_served() < LATER, "{:?}", visits.longest_once_served());
}

/// A test for each `name: boot, KILL_OLD_DELAY`, alone and below `motarei run`.
macro_rules! matrix {
    ($($name:ident: $boot:literal, $delay:literal, $judge:ident;)*) => {
        mod alone {
            $(#[test] fn $name() {
                super::$judge(&super::deployed($boot, $delay, super::super::alone, &[]));
            })*
        }
        mod below_run {
            $(#[test] fn $name() {
                super::nobody_is_lost(&super::deployed($boot, $delay, super::super::below_run, &[]));
            })*
        }
    };
}

matrix! {
    a_boot_of_0_s_and_a_kill_at_once: "0", 0, only_those_inside_are_lost;
    a_boot_of_0_7_s_and_a_kill_at_once: "0.7", 0, only_those_inside_are_lost;
    a_boot_of_3_s_and_a_kill_at_once: "3", 0, only_those_inside_are_lost;
    a_boot_of_0_s_and_a_kill_after_5_s: "0", 5, nobody_is_lost_if_it_was_ready;
    a_boot_of_0_7_s_and_a_kill_after_5_s: "0.7", 5, nobody_is_lost_if_it_was_ready;
    a_boot_of_3_s_and_a_kill_after_5_s: "3", 5, nobody_is_lost_if_it_was_ready;
}

#[test]
fn by_the_published_port_nobody_is_lost_either() {
    let flags = ["--connect-via", "published"];
    nobody_is_lost_if_it_was_ready(&deployed("0.7", 5, alone, &flags));
    nobody_is_lost(&deployed("0.7", 0, below_run, &flags));
}

#[test]
fn without_a_proxy_to_ask_run_protects_the_old_one_by_itself() {
    // The drain is how long it waits when it cannot see the connections of another namespace.
    let label = unique_label();
    let proxy = Motarei::start(&label, &["--hold", HOLD]);
    let mut wrapper = proxy.wrapper(&label, &["--drain", "5s"]);
    let status = wrapper.iter().position(|word| word == "--status").unwrap() + 1;
    wrapper[status] = format!("unix:{}", proxy.scratch().file("nobody.sock"));
    let plan = Plan::new(&label).with("BOOT=2");
    let mut deploy = Deploy::start(&plan, Manner { kill_old_delay: 0, wrapper });
    proxy.routes();
    let load = Load::on(proxy.address());
    load.flows("1");
    deploy.hup(&plan);
    deploy.alone(2);
    nobody_is_lost(&Deployed { visits: load.stop(), _proxy: proxy });
}
