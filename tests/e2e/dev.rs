//! `--dev` needs nothing: built-in destinations, a key pair of its own, and the commands to try.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;

use e2e::eventually::eventually;
use e2e::http::{Request, get};
use e2e::process::{Process, Signal};
use e2e::programs::{addresses, connect, program};
use e2e::scratch::Scratch;

/// A running `wsgate-server --dev` and what it printed. Its temporary directory is ours to remove.
struct Dev(Process, #[expect(dead_code, reason = "it is dropped after the process")] Scratch);

impl Dev {
    fn start() -> Dev {
        let mut command = Command::new(program("wsgate-server"));
        command.args(["--dev", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        let scratch = Scratch::new();
        let process = Process::spawn("wsgate-server --dev", command.env("TMPDIR", scratch.path()));
        let dev = Dev(process, scratch);
        eventually("it listens and has printed its commands", || {
            let stdout = dev.0.stdout();
            (!addresses(&dev.0).is_empty() && stdout.contains("Ctrl-C")).then_some(())
        });
        dev
    }

    /// The printed line that begins with this command, cut into words.
    fn printed(&self, command: &str) -> Vec<String> {
        let stdout = self.0.stdout();
        let words = stdout.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let mut lines = words.filter(|words| words.first().is_some_and(|first| first == command));
        lines.next().unwrap_or_else(|| panic!("a line with {command} in {stdout}"))
    }
}

#[test]
fn the_printed_commands_reach_hello_and_echo() {
    let dev = Dev::start();
    let client = dev.printed("wsgate-client");
    let mut command = Command::new(program("wsgate-client"));
    let client = Process::spawn("wsgate-client", command.args(&client[1..]).args(["--log-format", "json"]));
    eventually("the client listens", || (addresses(&client).len() == 2).then_some(()));
    let url = &dev.printed("curl")[1];
    let hello = connect(url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap());
    let hello = Request::plain("GET", "/").with("Connection", "close").ask_on(&hello);
    assert_eq!(hello.status, 200, "{hello:?}");
    assert!(hello.body.to_lowercase().contains("hello"), "{hello:?}");
    let nc = dev.printed("nc");
    let mut echo = connect(format!("{}:{}", nc[1], nc[2]).parse().unwrap());
    echo.write_all(b"is anybody there").unwrap();
    let mut got = [0; 16];
    echo.read_exact(&mut got).unwrap();
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
    let client = dev.printed("wsgate-client");
    let key = &client[client.iter().position(|word| word == "--private-key").unwrap() + 1];
    assert!(fs::exists(key).unwrap(), "{key}");
    dev.0.signal(Signal::TERM);
    assert!(dev.0.wait(std::time::Duration::from_secs(10)).success());
    assert!(!fs::exists(key).unwrap(), "{key} is still there");
}
