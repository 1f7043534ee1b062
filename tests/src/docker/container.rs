//! A container without a supervisor.

use std::net::SocketAddr;

use super::docker;
use crate::programs::output_of;

/// A running container; it is removed on drop.
#[derive(Debug)]
pub struct Container {
    /// Its full id.
    pub id: String,
}

impl Container {
    /// Starts the application with a label, further flags of `docker run`, and `NAME=VALUE` for it.
    pub fn start(label: &str, flags: &[&str], environment: &[&str]) -> Container {
        Container::with_command(label, flags, environment, &[])
    }

    /// As [`Container::start`], with another program than the image's; it is the first of `command`.
    pub fn with_command(label: &str, flags: &[&str], environment: &[&str], command: &[&str]) -> Container {
        let docker = docker();
        let mut run = docker.command();
        run.args(docker.run_flags(label)).arg("--detach").args(flags);
        run.args(environment.iter().flat_map(|variable| ["--env", variable]));
        if let Some(program) = command.first() {
            run.args(["--entrypoint", program]);
        }
        run.arg(&docker.image).args(command.iter().skip(1));
        Container { id: output_of(&mut run).trim().to_owned() }
    }

    /// A docker command about it, the id comes last; returns what docker says.
    pub fn tell(&self, verb: &[&str]) -> String {
        docker().run(&[verb, &[&self.id]].concat())
    }

    /// Where its exposed port is published.
    pub fn published(&self) -> SocketAddr {
        let ports = self.tell(&["port"]);
        let address = ports.lines().find_map(|line| line.rsplit_once("-> ")?.1.parse().ok());
        address.unwrap_or_else(|| panic!("the port is published: {ports:?}"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker().command().args(["rm", "--force", &self.id]).output();
    }
}
