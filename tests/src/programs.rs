//! Our own programs: built once, started on port 0, found by what they log.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::eventually::{PATIENCE, eventually};
use crate::process::Process;
use crate::scratch::Scratch;

/// The path of one of our binaries, built from the sources as they are now.
///
/// # Panics
/// When the build fails.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(name)
}

/// A needed program of the system.
///
/// # Panics
/// When it is missing, with the command that installs it.
pub fn needed(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run scripts/test, or apt-get install {package}"))
}

/// Runs a program to its end and returns what it wrote to stdout.
///
/// # Panics
/// When it fails, with what it wrote to stderr.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The workspace's root.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// `cargo` as the test was started by.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Builds beside the test executable, `target/PROFILE/deps/e2e-…`, and returns `target/PROFILE`.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let profile_dir = test.ancestors().nth(2).expect("a test lies in PROFILE/deps").to_owned();
    let target = profile_dir.parent().expect("PROFILE lies in the target directory");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = cargo();
    cargo.args(["build", "--workspace", "--bins", "--quiet", "--profile", profile, "--target-dir"]);
    output_of(cargo.arg(target));
    profile_dir
}

/// A running wsgate-server.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Where it listens (the first address).
    pub address: SocketAddr,
    scratch: Scratch,
}

impl Gateway {
    /// Starts it on a free port of 127.0.0.1 with this map and these flags; the last of a repeated flag wins.
    pub fn start(map: &str, flags: &[&str]) -> Gateway {
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--listen", "127.0.0.1:0"]);
        Gateway::from_command(command, map, flags)
    }

    /// As [`Gateway::start`], with the beginning of the command given: a wrapper, another address.
    pub fn from_command(mut command: Command, map: &str, flags: &[&str]) -> Gateway {
        let scratch = Scratch::new();
        let map = scratch.write("server.map", map);
        command.args(["--log-format", "json", "--map", &map]).args(flags);
        let mut process = Process::spawn("wsgate-server", &mut command);
        let address = first_address(&mut process);
        Gateway { process, address, scratch }
    }

    /// Starts it on a free port of 127.0.0.1 with this `--config`, and these flags.
    pub fn configured(config: &str, flags: &[&str]) -> Gateway {
        let scratch = Scratch::new();
        let config = scratch.write("gateway.toml", config);
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json", "--config", &config]).args(flags);
        let mut process = Process::spawn("wsgate-server", &mut command);
        let address = first_address(&mut process);
        Gateway { process, address, scratch }
    }

    /// The URL of a destination.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/proxy/{name}", self.address)
    }

    /// The URL of a destination over TLS.
    pub fn https(&self, name: &str) -> String {
        format!("https://localhost:{}/proxy/{name}", self.address.port())
    }

    /// A directory that lives as long as the gateway; `server.map` or `gateway.toml` is in it.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}

/// A running wsgate-client.
#[derive(Debug)]
pub struct Client {
    /// The process.
    pub process: Process,
    /// Where its first map line listens.
    pub address: SocketAddr,
    scratch: Scratch,
}

impl Client {
    /// Starts it with one forward from a free port of 127.0.0.1 to `url`.
    pub fn start(url: &str, flags: &[&str]) -> Client {
        Client::with_map(&format!("127.0.0.1:0,{url}\n"), flags)
    }

    /// Starts it with a map file of this content.
    pub fn with_map(map: &str, flags: &[&str]) -> Client {
        Client::from_command(Command::new(program("wsgate-client")), map, flags)
    }

    /// As [`Client::with_map`], with the beginning of the command given: an environment.
    pub fn from_command(mut command: Command, map: &str, flags: &[&str]) -> Client {
        let scratch = Scratch::new();
        let map = scratch.write("client.map", map);
        command.args(["--log-format", "json", "--map", &map]).args(flags);
        let mut process = Process::spawn("wsgate-client", &mut command);
        let address = first_address(&mut process);
        Client { process, address, scratch }
    }

    /// A directory that lives as long as the client; `client.map` is in it.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// An application's connection to it.
    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }
}

/// A gateway with one destination named `db`, and a client that leads there.
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: Client,
    /// The gateway's end.
    pub gateway: Gateway,
}

impl Pair {
    /// Starts both without further flags.
    pub fn to(destination: SocketAddr) -> Pair {
        Pair::with_flags(destination, &[], &[])
    }

    /// Starts both, to speak as the original programs do.
    pub fn of_dialect_1(destination: SocketAddr) -> Pair {
        Pair::with_flags(destination, &[], &["-H", "Wsgate-Tunnel: 1"])
    }

    /// Starts both with flags.
    pub fn with_flags(destination: SocketAddr, server: &[&str], client: &[&str]) -> Pair {
        let gateway = Gateway::start(&format!("db,{destination}\n"), server);
        let client = Client::start(&gateway.url("db"), client);
        Pair { client, gateway }
    }

    /// An application's connection through both.
    pub fn connect(&self) -> TcpStream {
        self.client.connect()
    }
}

/// A shell that becomes this program with our socket as descriptor 3, as systemd does it.
pub fn activated(listener: TcpListener, name: &str, environment: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec 3<&0 </dev/null; {environment} exec \"$@\""), "activation"]);
    command.arg(program(name)).stdin(Stdio::from(OwnedFd::from(listener)));
    command
}

/// Every address that a program has logged as bound.
pub fn addresses(process: &Process) -> Vec<SocketAddr> {
    let listening = process.events_of("listening");
    listening.iter().filter_map(|event| event.text("address")?.parse().ok()).collect()
}

/// Connects; a peer that falls silent for [`PATIENCE`] is an error, not a hang.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream =
        TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot reach {address}: {error}"));
    patient(&stream);
    stream
}

/// Sets the time-outs of a test's own socket.
pub fn patient(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out is valid");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out is valid");
    stream.set_nodelay(true).expect("TCP has TCP_NODELAY");
}

/// Sends FIN and keeps reading.
pub fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("an open connection can be half-closed");
}

/// Ends a connection with RST instead of FIN.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("TCP has SO_LINGER");
}

/// The first of [`addresses`], as soon as it is logged.
///
/// # Panics
/// When the program ends instead, with what it wrote to stderr.
pub fn first_address(process: &mut Process) -> SocketAddr {
    eventually("the program says where it listens", || {
        if let Some(status) = process.exited() {
            panic!("the program ended at start with {status}:\n{}", process.stderr());
        }
        addresses(process).first().copied()
    })
}
