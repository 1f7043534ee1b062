//! A running deteco, and the words of its configuration.

use std::net::SocketAddr;
use std::process::Command;

use crate::eventually::eventually;
use crate::http::{Request, Response};
use crate::issuer::Issuer;
use crate::process::{Event, Process};
use crate::programs::{first_address, program};
use crate::scratch::Scratch;

/// A running deteco.
#[derive(Debug)]
pub struct Deteco {
    /// The process.
    pub process: Process,
    /// Where it listens (the first address).
    pub address: SocketAddr,
    scratch: Scratch,
}

impl Deteco {
    /// Starts it on a free port of 127.0.0.1 with this configuration and these flags.
    pub fn start(conf: &str, flags: &[&str]) -> Deteco {
        let mut command = Command::new(program("deteco"));
        command.args(["--listen", "127.0.0.1:0"]);
        Deteco::from_command(command, conf, flags)
    }

    /// As [`Deteco::start`], with the beginning of the command given: a wrapper, another address.
    pub fn from_command(mut command: Command, conf: &str, flags: &[&str]) -> Deteco {
        let scratch = Scratch::new();
        let conf = scratch.write("deteco.toml", conf);
        command.args(["--log-format", "json", "--conf", &conf]).args(flags);
        let mut process = Process::spawn("deteco", &mut command);
        let address = first_address(&mut process);
        Deteco { process, address, scratch }
    }

    /// A directory that lives as long as it does; `deteco.toml` is in it.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Writes another configuration; nobody is told.
    pub fn configure(&self, conf: &str) {
        self.scratch.write("deteco.toml", conf);
    }

    /// Asks it itself, as nginx does.
    pub fn ask(&self, uri: &str, authorization: &str) -> Response {
        question(uri, authorization).ask(self.address)
    }

    /// The decisions it has logged so far.
    pub fn decisions(&self) -> Vec<Event> {
        self.process.events_of("decision")
    }

    /// The one decision with this status.
    pub fn decision(&self, status: u64) -> Event {
        eventually(&format!("a decision {status} is logged"), || {
            self.decisions().into_iter().find(|event| event.number("status") == Some(status))
        })
    }

    /// The reason of the last decision, once there are so many.
    pub fn reason(&self, decisions: usize) -> String {
        eventually(&format!("{decisions} decisions are logged"), || {
            let all = self.decisions();
            (all.len() >= decisions).then(|| all.last()?.text("reason")).flatten()
        })
    }
}

/// What nginx asks about a GET of this URI.
pub fn question(uri: &str, authorization: &str) -> Request {
    let request = Request::plain("GET", "/auth").with("X-Original-URI", uri).with("X-Original-Method", "GET");
    if authorization.is_empty() { request } else { request.with("Authorization", authorization) }
}

/// `[[services]]` with one key and some paths; what belongs to the same table may follow.
pub fn service(id: &str, issuer: &Issuer, paths: &[&str]) -> String {
    format!("[[services]]\nid = {id:?}\npaths = {paths:?}\npublic_keys = ['''\n{}''']\n", issuer.public_pem())
}

/// The same with the key in a file, and under the name that its tokens say.
pub fn service_with_kid(id: &str, issuer: &Issuer, paths: &[&str]) -> String {
    format!("[[services]]\nid = {id:?}\npaths = {paths:?}\n{}", key(issuer))
}

/// `[[services.keys]]` of a service.
pub fn key(issuer: &Issuer) -> String {
    format!("[[services.keys]]\nkid = {:?}\nfile = {:?}\n", issuer.kid, issuer.public())
}
