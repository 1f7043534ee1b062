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
    /// Starts the application with a label, its ports published, and `NAME=VALUE` for it.
    pub fn start(label: &str, environment: &[&str]) -> Container {
        Container::with_flags(label, &["--publish-all"], environment)
    }

    /// As [`Container::start`], with these flags of `docker run` only.
    pub fn with_flags(label: &str, flags: &[&str], environment: &[&str]) -> Container {
        let variables = environment.iter().flat_map(|variable| ["--env", variable]);
        Container::running(label, flags.iter().copied().chain(variables), &[])
    }

    /// With another program than the image's; it is the first word of `command`.
    pub fn of_program(label: &str, flags: &[&str], command: &[&str]) -> Container {
        let program = command.first().into_iter().flat_map(|program| ["--entrypoint", program]);
        Container::running(label, flags.iter().copied().chain(program), &command[1..])
    }

    fn running<'a>(label: &str, flags: impl Iterator<Item = &'a str>, arguments: &[&str]) -> Container {
        let docker = docker();
        let mut run = docker.command();
        run.args(docker.run_flags(label)).arg("--detach").args(flags).arg(&docker.image).args(arguments);
        Container { id: output_of(&mut run).trim().to_owned() }
    }

    /// The first 12 digits of the id, as people see it.
    pub fn short(&self) -> &str {
        &self.id[..12]
    }

    /// The name that docker gave it.
    pub fn name(&self) -> String {
        self.tell(&["inspect", "--format", "{{.Name}}"]).trim_start_matches('/').to_owned()
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
