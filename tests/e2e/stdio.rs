//! `--stdio URL`: one tunnel on stdin and stdout, as `ssh -o ProxyCommand` wants it.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::destination::{Destination, refusing};
use e2e::eventually::within;
use e2e::pattern;
use e2e::process::{Signal, send};
use e2e::programs::{Gateway, program};
use e2e::sshd::Sshd;
use e2e::websocket::End;

fn stdio(url: &str, flags: &[&str]) -> Child {
    let mut command = Command::new(program("wsgate-client"));
    command.args(["--stdio", url]).args(flags);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    within(limit, "the client ends", || child.try_wait().unwrap())
}

#[test]
fn stdio_is_a_proxy_command_of_ssh() {
    let sshd = Sshd::start();
    let gateway = Gateway::start(&format!("ssh,{}\n", sshd.address), &[]);
    let command = format!("{} --stdio {}", program("wsgate-client").display(), gateway.url("ssh"));
    let output = sshd.ssh_by(&command, "echo from afar; exit 7").output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from afar\n");
}

#[test]
fn stdio_carries_megabytes_and_nothing_else_on_stdout() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut child = stdio(&gateway.url("db"), &["--log-level", "debug"]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    const TOTAL: usize = 8 << 20;
    std::thread::scope(|scope| {
        scope.spawn(move || pattern::write(&mut stdin, 3, TOTAL)); // and closes it
        pattern::read(&mut stdout, 3, TOTAL);
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    });
    assert_eq!(ended(&mut child, Duration::from_secs(20)).code(), Some(0));
}

#[test]
fn stdio_that_is_refused_says_why_on_stderr_and_fails() {
    let gateway = Gateway::start(&format!("dead,{}\n", refusing()), &[]);
    for (name, says) in [("nowhere", "404"), ("dead", "502")] {
        let output = stdio(&gateway.url(name), &[]).wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(&format!("gateway answered {says}")), "{name}: {stderr}");
        assert!(output.stdout.is_empty(), "{name}: ssh would read it as a banner");
    }
}

#[test]
fn stdio_ends_its_tunnel_by_sighup_and_by_sigterm() {
    for signal in [Signal::HUP, Signal::TERM] {
        let (destination, accepted) = Destination::played();
        let gateway = Gateway::start(&destination.map("db"), &[]);
        let mut child = stdio(&gateway.url("db"), &["--shutdown-timeout", "1s"]);
        let far = accepted.next();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        (&far).read_exact(&mut [0; 1]).unwrap();
        send(child.id(), signal);
        ended(&mut child, Duration::from_secs(5));
        assert_ne!(End::of_stream(&far), End::Silence, "{signal:?}: the far end is told");
    }
}

#[test]
fn stdio_ends_when_nobody_reads_its_stdout() {
    let (destination, accepted) = Destination::played();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let mut child = stdio(&gateway.url("db"), &[]);
    let mut far = accepted.next();
    drop(child.stdout.take());
    let _stdin = child.stdin.take();
    within(Duration::from_secs(10), "the client ends", || {
        let _ = far.write_all(b"x");
        child.try_wait().unwrap()
    });
    assert_ne!(End::of_stream(&far), End::Silence);
}
