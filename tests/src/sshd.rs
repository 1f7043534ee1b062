//! An OpenSSH server and client with keys of their own.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::eventually::eventually;
use crate::port;
use crate::process::Process;
use crate::programs::{needed, output_of};
use crate::scratch::Scratch;

/// A running sshd that lets this user in with one key.
#[derive(Debug)]
pub struct Sshd {
    /// Where it listens.
    pub address: SocketAddr,
    scratch: Scratch,
    _process: Process,
}

impl Sshd {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start() -> Sshd {
        let sshd = needed("sshd", "openssh-server");
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("root can make sshd's privilege separation directory");
        }
        let scratch = Scratch::new();
        for name in ["host", "user"] {
            let mut keygen = Command::new(needed("ssh-keygen", "openssh-client"));
            output_of(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &scratch.file(name)]));
        }
        let port = port::free();
        let (host, keys) = (scratch.file("host"), scratch.file("user.pub"));
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {keys}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
             Subsystem sftp internal-sftp\nMaxStartups 100\n"
        );
        let config = scratch.write("sshd_config", config);
        let mut process = Process::spawn("sshd", Command::new(sshd).args(["-D", "-e", "-f", &config]));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("sshd listens", || {
            if let Some(status) = process.exited() {
                panic!("sshd ended at start with {status}:\n{}", process.stderr());
            }
            TcpStream::connect(address).ok()
        });
        Sshd { address, scratch, _process: process }
    }

    /// `ssh` through a tunnel that begins at `address`.
    pub fn ssh(&self, address: SocketAddr, remote_command: &str) -> Command {
        let mut command = self.client("ssh", "-p", address);
        command.args(["127.0.0.1", remote_command]);
        command
    }

    /// `ssh` with a program that makes the connection.
    pub fn ssh_by(&self, proxy_command: &str, remote_command: &str) -> Command {
        let mut command = self.client("ssh", "-p", self.address);
        command.args(["-o", &format!("ProxyCommand={proxy_command}"), "far.test", remote_command]);
        command
    }

    /// `scp` through a tunnel that begins at `address`; the far side is written `127.0.0.1:FILE`.
    pub fn scp(&self, address: SocketAddr, from: &str, to: &str) -> Command {
        let mut command = self.client("scp", "-P", address);
        command.args(["-q", from, to]);
        command
    }

    fn client(&self, program: &str, port_flag: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(needed(program, "openssh-client"));
        command.args([
            "-F",
            "none",
            "-i",
            &self.scratch.file("user"),
            port_flag,
            &address.port().to_string(),
        ]);
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            command.args(["-o", option]);
        }
        command
    }
}
