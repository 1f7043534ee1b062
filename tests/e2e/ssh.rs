//! OpenSSH through the tunnel: a command, and files both ways.

use std::fs;

use e2e::balancer::Balancer;
use e2e::pattern::Pattern;
use e2e::programs::{Client, Gateway, Pair, output_of};
use e2e::scratch::Scratch;
use e2e::sshd::Sshd;

#[test]
fn ssh_runs_a_command_and_brings_its_output_and_status() {
    let sshd = Sshd::start();
    let pair = Pair::to(sshd.address);
    let output = sshd.ssh(pair.client.address, "echo from afar; cat >&2; exit 7").output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from afar\n");
}

#[test]
fn ssh_passes_through_haproxy() {
    let sshd = Sshd::start();
    let gateway = Gateway::start(&format!("ssh,{}\n", sshd.address), &[]);
    let haproxy = Balancer::haproxy(gateway.address);
    let client = Client::start(&haproxy.url("ssh"), &[]);
    assert_eq!(output_of(&mut sshd.ssh(client.address, "echo balanced")), "balanced\n");
}

#[test]
fn scp_copies_50_mb_both_ways() {
    let sshd = Sshd::start();
    let pair = Pair::to(sshd.address);
    let scratch = Scratch::new();
    let content = Pattern::new(50).take(50 * 1024 * 1024 + 1);
    let here = scratch.write("here", &content);
    let (there, back) = (scratch.file("there"), scratch.file("back"));
    output_of(&mut sshd.scp(pair.client.address, &here, &format!("127.0.0.1:{there}")));
    assert!(fs::read(&there).unwrap() == content, "the upload is the file");
    output_of(&mut sshd.scp(pair.client.address, &format!("127.0.0.1:{there}"), &back));
    assert!(fs::read(&back).unwrap() == content, "the download is the file");
}
