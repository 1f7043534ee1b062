//! `--dev` needs nothing: built-in destinations, a key pair of its own, and the commands to try.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;

use e2e::eventually::eventually;
use e2e::http::{Request, get};
use e2e::process::{Process, Signal, send};
use e2e::programs::{addresses, connect, program};

struct Dev(Process);

impl Dev {
    fn start() -> Dev {
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--dev", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        let dev = Dev(Process::spawn("wsgate-server --dev", &mut command));
        eventually("it listens and prints two commands", || (dev.commands().len() >= 2).then_some(()));
        dev
    }

    /// The printed commands, as one copies them.
    fn commands(&self) -> Vec<String> {
        let printed = self.0.stdout() + &self.0.stderr();
        let lines = printed.lines().filter(|line| !line.starts_with('{'));
        lines.filter(|line| line.contains("wsgate-client ")).map(|line| line.trim().to_owned()).collect()
    }

    /// Runs the printed command that mentions `name`.
    fn follow(&self, name: &str) -> Followed {
        let commands = self.commands();
        let line = commands.iter().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{commands:?}"));
        let binaries = program("").display().to_string();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("PATH={binaries}:$PATH; {line} --log-format json")]);
        Followed(Process::spawn("bash", &mut command))
    }
}

/// A shell that runs a client; both end on drop.
struct Followed(Process);

impl Followed {
    fn connect(&mut self) -> std::net::TcpStream {
        let address = eventually("the client listens", || {
            if let Some(status) = self.0.exited() {
                panic!("the printed command ended with {status}: {}", self.0.stderr());
            }
            addresses(&self.0).first().copied()
        });
        connect(address)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let pid = self.0.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            send(child, Signal::KILL);
        }
    }
}

#[test]
fn the_printed_commands_reach_hello_and_echo() {
    let dev = Dev::start();
    let hello = Request::plain("GET", "/").with("Connection", "close").ask_on(&dev.follow("hello").connect());
    assert_eq!(hello.status, 200, "{hello:?}");
    assert!(hello.body.to_lowercase().contains("<html"), "{hello:?}");
    let mut echo = dev.follow("echo");
    let mut application = echo.connect();
    application.write_all(b"is anybody there").unwrap();
    let mut got = [0; 16];
    application.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"is anybody there");
}

#[test]
fn it_is_on_loopback_with_a_key_and_says_that_it_is_not_for_production() {
    let dev = Dev::start();
    let address = addresses(&dev.0)[0];
    assert!(address.ip().is_loopback(), "{address}");
    assert_eq!(get(address, "/live").status, 200);
    let stranger = Request::upgrade("/proxy/hello").ask(address);
    assert_eq!(stranger.status, 401, "without the key: {stranger:?}");
    let said = (dev.0.stdout() + &dev.0.stderr()).to_lowercase();
    assert!(said.contains("not for production"), "{said}");
}

#[test]
fn its_key_goes_away_with_it() {
    let mut dev = Dev::start();
    let commands = dev.commands();
    let mut words = commands[0].split_whitespace().skip_while(|word| !word.starts_with("--private-key"));
    let flag = words.next().unwrap_or_else(|| panic!("a key in {commands:?}"));
    let key = flag.split_once('=').map_or_else(|| words.next().unwrap(), |(_, file)| file).to_owned();
    assert!(fs::exists(&key).unwrap(), "{key}");
    dev.0.signal(Signal::TERM);
    assert!(dev.0.wait(std::time::Duration::from_secs(10)).success());
    assert!(!fs::exists(&key).unwrap(), "{key} is still there");
}
