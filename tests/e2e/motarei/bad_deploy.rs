//! New versions that are no good: the old one goes on.

use e2e::deploy::{Deploy, Manner, Plan};
use e2e::docker::{docker, unique_label};
use e2e::eventually::eventually;
use e2e::load::Load;
use e2e::motarei::Motarei;
use e2e::process::Signal;

use super::{Wrap, alone, below_run};

/// A proxy with a good first generation, and its visitors.
struct Site {
    label: String,
    proxy: Motarei,
    deploy: Deploy,
    load: Load,
    first: String,
}

impl Site {
    fn below_run() -> Site {
        Site::start(0, below_run)
    }

    fn start(kill_old_delay: u32, wrap: Wrap) -> Site {
        Site::with_interval(1, kill_old_delay, wrap)
    }

    fn with_interval(seconds: u32, kill_old_delay: u32, wrap: Wrap) -> Site {
        let label = unique_label();
        let proxy = Motarei::start(&label, &[]);
        let wrapper = wrap(&proxy, &label);
        let manner = Manner { kill_old_delay, wrapper };
        let deploy = Deploy::with_interval(seconds, &Plan::new(&label), manner);
        proxy.routes();
        let load = Load::on(proxy.address());
        load.flows("1");
        let first = deploy.container();
        Site { label, proxy, deploy, load, first }
    }

    fn plan(&self) -> Plan {
        Plan::new(&self.label)
    }

    /// Waits until so many more visitors got this answer.
    fn goes_on(&self, answer: &str, visitors: usize) {
        let before = self.load.answers(answer);
        let what = format!("{answer} answers again and again");
        eventually(&what, || (self.load.answers(answer) >= before + visitors).then_some(()));
    }

    /// The id of the second container, once it is there.
    fn second(&self) -> String {
        self.proxy.shows("there are two containers", |status| {
            let containers = status.app()["containers"].as_array()?.iter();
            containers.filter_map(|one| one["id"].as_str()).find(|id| *id != self.first).map(str::to_owned)
        })
    }

    /// A version that does not listen where it should is not let in, and a good one after it is.
    fn survives(mut self, bad: &str, reason: &str) {
        self.deploy.hup(&self.plan().with(bad));
        self.deploy.started(2);
        let second = self.second();
        self.goes_on("1", 300);
        let status = self.proxy.status().unwrap();
        assert_eq!(status.routed(), Some(self.first.as_str()));
        assert_eq!(status.state(&second), Some("probing"));
        let said = status.reason(&second).unwrap_or_default();
        assert!(said.contains(reason), "why it is not ready: {said:?}");
        self.deploy.hup(&self.plan());
        self.deploy.alone(3);
        self.goes_on("3", 50);
        assert_eq!(self.load.stop().failures(), Vec::<String>::new());
    }
}

#[test]
fn one_that_never_listens_does_not_cost_the_old_one_its_life() {
    Site::below_run().survives("SERVE=nothing", "refuses connections");
}

#[test]
fn one_that_listens_on_another_port_does_not_cost_the_old_one_its_life() {
    Site::below_run().survives("PORT=9000", "refuses connections");
}

#[test]
fn one_that_dies_soon_gives_its_visitors_back() {
    // The signal for the old one comes when this is long over.
    let mut site = Site::start(60, alone);
    site.deploy.hup(&site.plan());
    let second = site.second();
    eventually("the new one answers", || (site.load.answers("2") > 0).then_some(()));
    // start_server would start another one in its place, which might answer before this is seen.
    site.deploy.supervisor.signal(Signal::STOP);
    // The engine sees it die by itself. What says so dies with it, so that its status may be anything.
    let _ = docker().command().args(["exec", &second, "sh", "-c", "kill -TERM 1"]).output();
    eventually("that it died is said", || {
        site.proxy.process.warned("ended soon after it was ready").then_some(())
    });
    site.proxy.routes_to(&site.first);
    site.goes_on("1", 100);
    assert!(site.proxy.status().unwrap().container(&second).is_none(), "it is gone");
    super::only_those_inside_are_lost(&site.load.stop());
    site.deploy.supervisor.signal(Signal::CONT);
}

#[test]
fn one_that_dies_after_5_s_finds_the_old_one_still_there() {
    let mut site = Site::start(0, |proxy, label| proxy.wrapper(label, &["--settle", "10s"]));
    site.deploy.hup(&site.plan().with("LIFE=5"));
    eventually("the new one answers", || (site.load.answers("2") > 0).then_some(()));
    eventually("that it died is said", || {
        site.proxy.process.warned("ended soon after it was ready").then_some(())
    });
    site.goes_on("1", 20);
    assert!(docker().running(&site.label).contains(&site.first));
    super::only_those_inside_are_lost(&site.load.stop());
}

#[test]
fn one_that_is_no_image_leaves_the_old_one_in_place() {
    for wrap in [alone as Wrap, below_run] {
        // As long as docker takes on a busy machine to say so.
        let mut site = Site::with_interval(5, 0, wrap);
        site.deploy.hup(&site.plan().image("wsgate-e2e:missing"));
        eventually("start_server sees it fail within its interval", || {
            site.deploy.supervisor.stderr().contains("seems to have failed to start").then_some(())
        });
        site.goes_on("1", 150);
        assert_eq!(docker().running(&site.label).into_iter().collect::<Vec<_>>(), [site.first.as_str()]);
        // 125 as wait(2) has it.
        let stderr = site.deploy.supervisor.stderr();
        assert!(stderr.contains("32000"), "docker's own status: {stderr}");
        assert_eq!(site.load.stop().failures(), Vec::<String>::new());
    }
}
