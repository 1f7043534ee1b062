//! A program of ours below start_server, which replaces it without closing its port.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::eventually::eventually;
use crate::port;
use crate::process::{Process, Signal, send};
use crate::programs::{needed, program};
use crate::scratch::Scratch;

/// start_server with one of our programs below it.
#[derive(Debug)]
pub struct Supervised {
    /// start_server itself; what the generations write is in its stderr.
    pub supervisor: Process,
    /// Where the program listens.
    pub address: SocketAddr,
    status: String,
    _scratch: Scratch,
}

impl Supervised {
    /// Starts the program with a file of this content, which `flag` names, and waits until it listens.
    pub fn start(name: &str, flag: &str, file: &str) -> Supervised {
        let scratch = Scratch::new();
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let (status, file) = (scratch.file("status"), scratch.write("file", file));
        let mut command = Command::new(needed("start_server", "libserver-starter-perl"));
        command.args(["--port", &address.to_string(), "--interval", "1", "--status-file", &status, "--"]);
        command.arg(program(name)).args(["--log-format", "json", flag, &file]);
        let supervisor = Process::spawn("start_server", &mut command).ends_by_term();
        let supervised = Supervised { supervisor, address, status, _scratch: scratch };
        eventually("the first generation listens", || supervised.listening(1));
        // It counts as started after the interval; before that a HUP would not be one.
        eventually("start_server has written its status", || {
            (!supervised.generations().is_empty()).then_some(())
        });
        supervised
    }

    /// Replaces the running generation and waits until the old ones are told to go.
    pub fn hup(&mut self) {
        let generation = self.supervisor.events_of("listening").len() + 1;
        self.supervisor.signal(Signal::HUP);
        eventually("the next generation listens", || self.listening(generation));
        eventually("the old generations are told to go", || {
            (self.supervisor.stderr().matches("killing old workers").count() + 1 >= generation).then_some(())
        });
    }

    /// Whether so many generations have said that they listen.
    fn listening(&self, generations: usize) -> Option<()> {
        (self.supervisor.events_of("listening").len() >= generations).then_some(())
    }

    /// The process ids of the generations that live.
    pub fn generations(&self) -> Vec<u32> {
        let status = fs::read_to_string(&self.status).unwrap_or_default();
        status.lines().filter_map(|line| line.split(':').nth(1)?.parse().ok()).collect()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        for pid in self.generations() {
            send(pid, Signal::KILL); // a failed test may leave a connection that it would wait for
        }
    }
}
