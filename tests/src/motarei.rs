//! A running motarei, and what it says about itself.

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;

use crate::docker::{IMAGE_PORT, docker};
use crate::eventually::eventually;
use crate::process::Process;
use crate::programs::{addresses, program};
use crate::scratch::Scratch;
use crate::status::StatusSocket;

/// The name of the program.
const MOTAREI: &str = "motarei";

/// The proxy.
#[derive(Debug)]
pub struct Motarei {
    /// The process.
    pub process: Process,
    status: String,
    scratch: Scratch,
}

/// The status document at some moment.
#[derive(Debug)]
pub struct Status(pub Value);

/// A listener on a free port of loopback that leads to the application of the image.
pub fn any_port() -> [String; 2] {
    ["--listen".to_owned(), format!("127.0.0.1:0={IMAGE_PORT}")]
}

impl Motarei {
    /// Starts it for a label, on a free port of 127.0.0.1 that leads to the image's port.
    pub fn start(label: &str, flags: &[&str]) -> Motarei {
        let [flag, listen] = any_port();
        Motarei::with_flags(&[&["--label", label, flag.as_str(), listen.as_str()], flags].concat())
    }

    /// Starts it with these flags only.
    pub fn with_flags(flags: &[&str]) -> Motarei {
        Motarei::from_command(Command::new(program(MOTAREI)), flags)
    }

    /// As [`Motarei::with_flags`], with the beginning of the command given: a supervisor.
    pub fn from_command(mut command: Command, flags: &[&str]) -> Motarei {
        let scratch = Scratch::new();
        let status = scratch.file("status.sock");
        docker().prepare(&mut command);
        command.args(["--log-format", "json", "--status-listen", &format!("unix:{status}")]).args(flags);
        Motarei { process: Process::spawn(MOTAREI, &mut command), status, scratch }
    }

    /// A directory that lives as long as it does.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Where it answers for its status, which it does a moment after it has begun to listen.
    ///
    /// # Panics
    /// When it does not.
    pub fn status_socket(&self) -> StatusSocket {
        let status = self.socket();
        eventually("motarei answers for its status", || status.try_get("/live"));
        status
    }

    fn socket(&self) -> StatusSocket {
        StatusSocket::at(format!("unix:{}", self.status))
    }

    /// Where it listens first.
    pub fn address(&self) -> SocketAddr {
        eventually("motarei says where it listens", || addresses(&self.process).first().copied())
    }

    /// `motarei run` for a label, to stand before a `docker run`. A newer one has proved itself soon.
    pub fn wrapper(&self, label: &str, flags: &[&str]) -> Vec<String> {
        let motarei = program(MOTAREI).display().to_string();
        let status = format!("unix:{}", self.status);
        let words =
            [&[&*motarei, "run", "--settle", "2s", "--label", label, "--status", &status], flags, &["--"]]
                .concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// A subcommand that asks this proxy, to be continued.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program(MOTAREI));
        docker().prepare(&mut command);
        command.args(words).args(["--status", &format!("unix:{}", self.status)]);
        command
    }

    /// The status, asked for as `GET /status`; none while nobody answers.
    pub fn status(&self) -> Option<Status> {
        let (code, body) = self.socket().try_get("/status")?;
        assert_eq!(code, 200, "{body}");
        Some(Status(serde_json::from_str(&body).expect("the status is JSON")))
    }

    /// Waits until the status shows this.
    ///
    /// # Panics
    /// With `what` and the last status when it does not.
    pub fn shows<T>(&self, what: &str, probe: impl Fn(&Status) -> Option<T>) -> T {
        let mut last = None;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, || {
                last = self.status();
                probe(last.as_ref()?)
            })
        }));
        caught.unwrap_or_else(|_| panic!("{what}, instead the status is {last:#?}"))
    }

    /// Waits until new connections go to this container.
    pub fn routes_to(&self, id: &str) {
        self.shows("new connections go to the container", |status| (status.routed()? == id).then_some(()));
    }

    /// Waits until new connections go to some container: nobody has to be held for the first one.
    pub fn routes(&self) {
        self.shows("new connections go to a container", |status| status.routed().map(drop));
    }

    /// Waits until a container is in this state.
    pub fn is(&self, id: &str, state: &str) {
        self.shows(&format!("{id} is {state}"), |status| (status.state(id)? == state).then_some(()));
    }
}

impl Status {
    /// The first app.
    pub fn app(&self) -> &Value {
        &self.0["apps"][0]
    }

    /// The id of the container that new connections of the first app go to.
    pub fn routed(&self) -> Option<&str> {
        self.app()["routed"].as_str()
    }

    /// A container of any app.
    pub fn container(&self, id: &str) -> Option<&Value> {
        let apps = self.0["apps"].as_array()?.iter();
        apps.filter_map(|app| app["containers"].as_array()).flatten().find(|container| container["id"] == id)
    }

    /// Its state.
    pub fn state(&self, id: &str) -> Option<&str> {
        self.container(id)?["state"].as_str()
    }

    /// Why it is not ready.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.container(id)?["reason"].as_str()
    }

    /// How many clients wait for a container.
    pub fn held(&self) -> u64 {
        self.0["held"].as_u64().unwrap_or_default()
    }
}

/// What a program wrote to both its outputs.
pub fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}
