//! `start_server -- docker run …`: an application on a plain server, deployed by HUP.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::docker::docker;
use crate::eventually::{LONG, eventually, within};
use crate::process::{Process, Signal, send};
use crate::programs::needed;
use crate::scratch::Scratch;

/// What one generation is.
#[derive(Debug, Clone)]
pub struct Plan {
    label: String,
    flags: Vec<String>,
    image: String,
}

/// How start_server goes about it.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Seconds from the new worker's start (and the interval) to the signal for the old one.
    pub kill_old_delay: u32,
    /// What stands before `docker run` and understands SIGUSR1, with its arguments; none: nothing.
    pub wrapper: Vec<String>,
}

/// start_server with a container below it. On drop everything with the label is removed.
#[derive(Debug)]
pub struct Deploy {
    /// start_server.
    pub supervisor: Process,
    label: String,
    manner: Manner,
    scratch: Scratch,
}

impl Plan {
    /// The application of the tests, as it is.
    pub fn new(label: &str) -> Plan {
        Plan {
            label: label.to_owned(),
            flags: vec!["--publish-all".to_owned()],
            image: docker().image.clone(),
        }
    }

    /// With a variable of the application, `NAME=VALUE`.
    pub fn with(self, variable: &str) -> Plan {
        self.flag("--env").flag(variable)
    }

    /// With a flag of `docker run`.
    pub fn flag(mut self, flag: &str) -> Plan {
        self.flags.push(flag.to_owned());
        self
    }

    /// From another image.
    pub fn image(mut self, image: &str) -> Plan {
        image.clone_into(&mut self.image);
        self
    }

    /// This without start_server: a worker of a generation of its own.
    pub fn command(&self, wrapper: &[String], generation: &str) -> Command {
        let mut command = Command::new("sh");
        docker().prepare(&mut command).args(["-c", &self.worker(wrapper)]);
        command.env("SERVER_STARTER_GENERATION", generation);
        command
    }

    /// A script that becomes `docker run`, below the wrapper if there is one.
    fn worker(&self, wrapper: &[String]) -> String {
        let docker_path = needed("docker", "docker.io").display().to_string();
        let flags = docker().run_flags(&self.label);
        let words = wrapper.iter().chain([&docker_path]).chain(&flags).chain(&self.flags);
        let words: Vec<_> = words.map(|word| format!("'{word}'")).collect();
        let generation = "--env GENERATION=$SERVER_STARTER_GENERATION";
        format!("exec {} {generation} '{}'\n", words.join(" "), self.image)
    }
}

impl Deploy {
    /// Starts the first generation, and waits until start_server counts it as started.
    pub fn start(plan: &Plan, manner: Manner) -> Deploy {
        Deploy::with_interval(1, plan, manner)
    }

    /// [`Deploy::start`] where a worker has so many seconds to fail before it counts as started.
    pub fn with_interval(seconds: u32, plan: &Plan, manner: Manner) -> Deploy {
        let scratch = Scratch::new();
        let mut command = Command::new(needed("start_server", "libserver-starter-perl"));
        command.args(["--interval", &seconds.to_string(), "--status-file", &scratch.file("status")]);
        command.args(["--kill-old-delay", &manner.kill_old_delay.to_string()]);
        if !manner.wrapper.is_empty() {
            command.args(["--signal-on-hup=USR1", "--signal-on-term=TERM"]);
        }
        command.args(["--", "sh", &scratch.replace("worker", plan.worker(&manner.wrapper))]);
        let supervisor = Process::spawn("start_server", docker().prepare(&mut command)).ends_by_term();
        let deploy = Deploy { supervisor, label: plan.label.clone(), manner, scratch };
        deploy.started(1);
        deploy
    }

    /// Deploys this: a HUP. Returns as soon as it is sent.
    pub fn hup(&mut self, plan: &Plan) {
        // The worker of the deploy before may be just about to read it.
        self.scratch.replace("worker", plan.worker(&self.manner.wrapper));
        self.supervisor.signal(Signal::HUP);
    }

    /// Waits until start_server counts this generation as started.
    pub fn started(&self, generation: u32) {
        eventually(&format!("start_server counts generation {generation} as started"), || {
            self.generations().contains(&generation).then_some(())
        });
    }

    /// Waits until no other generation's worker lives.
    pub fn alone(&self, generation: u32) {
        within(LONG, &format!("generation {generation} is alone"), || {
            (self.generations() == BTreeSet::from([generation])).then_some(())
        });
    }

    /// The id of the one container that runs: start_server counts a worker as started when its process lives.
    pub fn container(&self) -> String {
        eventually("one container runs", || {
            let running = docker().running(&self.label);
            (running.len() == 1).then(|| running.into_iter().next())?
        })
    }

    /// The generations whose worker lives, once they are started.
    pub fn generations(&self) -> BTreeSet<u32> {
        self.workers().into_iter().map(|(generation, _)| generation).collect()
    }

    /// The process of a generation's worker.
    pub fn worker(&self, generation: u32) -> Option<u32> {
        self.workers().into_iter().find(|worker| worker.0 == generation).map(|worker| worker.1)
    }

    /// start_server writes a `generation:pid` a line, into a new file that then takes the name.
    fn workers(&self) -> Vec<(u32, u32)> {
        let status = fs::read_to_string(PathBuf::from(self.scratch.file("status"))).unwrap_or_default();
        let workers = status.lines().filter_map(|line| line.split_once(':'));
        workers.filter_map(|(generation, pid)| Some((generation.parse().ok()?, pid.parse().ok()?))).collect()
    }
}

impl Drop for Deploy {
    fn drop(&mut self) {
        // Its workers end when their containers do, or when they are killed; then it ends too.
        self.supervisor.signal(Signal::TERM);
        docker().remove(&self.label);
        for (_, pid) in self.workers() {
            send(pid, Signal::KILL);
        }
        docker().remove(&self.label);
    }
}
