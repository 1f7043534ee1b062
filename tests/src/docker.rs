//! A real Docker engine for the containers of the tests: the one that answers on this host's default socket,
//! else one of the test binary's own, started once.

mod container;
mod engine;
mod image;
mod network;
mod socket;

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use container::Container;
pub use image::IMAGE_PORT;
pub use network::Network;
pub use socket::Socket;

use crate::programs::{needed, output_of};

/// What installs the engine and its command line.
const PACKAGE: &str = "docker.io";

/// The engine, with an image of a small application in it. Its containers go when this process ends, however
/// it ends: a shell waits for our end of a pipe.
#[derive(Debug)]
pub struct Docker {
    /// Its API, a path.
    pub socket: String,
    /// The application's image.
    pub image: String,
    /// The label that all containers of this process carry.
    mark: String,
    /// Where the command line looks for its configuration: nobody's.
    config: String,
    _guard: Child,
}

/// The one engine of this process.
///
/// # Panics
/// When there is none and none can be started, with the reason.
pub fn docker() -> &'static Docker {
    static SHARED: OnceLock<Docker> = OnceLock::new();
    SHARED.get_or_init(engine::start)
}

/// A label that no other test's containers carry.
pub fn unique_label() -> String {
    format!("app={}", unique_name())
}

fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("web-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Docker {
    /// The engine as `--docker-host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket)
    }

    /// The docker command line, to be continued.
    pub fn command(&self) -> Command {
        let mut command = Command::new(needed("docker", PACKAGE));
        self.prepare(&mut command);
        command
    }

    /// Lets a program, and the docker command lines that it starts, use this engine.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DOCKER_HOST", self.host()).env("DOCKER_CONFIG", &self.config)
    }

    /// Runs docker with these arguments to its end and returns what it wrote.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        output_of(self.command().args(arguments)).trim_end().to_owned()
    }

    /// The flags that every `docker run` of the tests needs; the image comes after further flags. A missing
    /// image is not looked for elsewhere.
    pub fn run_flags(&self, label: &str) -> Vec<String> {
        let flags = ["run", "--rm", "--pull=never", "--label", &self.mark, "--label", label];
        flags.map(str::to_owned).into_iter().chain(image::installed_on_host()).collect()
    }

    /// The full ids of the running containers that carry a label.
    pub fn running(&self, label: &str) -> BTreeSet<String> {
        let filter = format!("label={label}");
        let ids = self.run(&["ps", "--quiet", "--no-trunc", "--filter", &filter]);
        ids.lines().map(str::to_owned).collect()
    }

    /// Removes all containers that carry a label, at once.
    pub fn remove(&self, label: &str) {
        let filter = format!("label={label}");
        let ids = self.run(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        if !ids.is_empty() {
            // One that has just ended removes itself: that it is gone is no failure.
            let _ = self.command().args(["rm", "--force"]).args(ids.lines()).output();
        }
    }
}
