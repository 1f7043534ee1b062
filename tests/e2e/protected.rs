//! Protected mode: without any credential configured, a stranger's address is refused.
//!
//! The stranger lives in a network namespace that the test makes: 203.0.113.1 (TEST-NET-3, public to look
//! at) is an address of its loopback, and what connects to it comes from it.

use std::process::Command;

use e2e::http::Request;
use e2e::isolated::namespace;
use e2e::programs::{Gateway, output_of, program};

const STRANGER: &str = "203.0.113.1";
const PRIVATE: &str = "10.9.8.7";

/// A gateway in a namespace of its own, on both families.
fn isolated(flags: &[&str]) -> Gateway {
    let mut command =
        namespace(&format!("ip addr add {STRANGER}/32 dev lo; ip addr add {PRIVATE}/32 dev lo"));
    command.arg(program("wsgate-server")).args(["--listen", ":8086"]);
    Gateway::from_command(command, "dead,127.0.0.1:1\n", flags)
}

/// Sends an upgrade within the gateway's namespace, to and so from `address`; returns the answer.
fn ask(gateway: &Gateway, address: &str) -> String {
    let script = "exec 3<>/dev/tcp/$1/8086; printf %s \"$2\" >&3; length=0
        while read -r -t 10 line <&3; do
            echo \"$line\"; line=${line%$'\\r'}
            case ${line,,} in content-length:*) length=${line#*: };; esac
            [ -n \"$line\" ] || break
        done
        head -c \"$length\" <&3";
    let mut command = Command::new("nsenter");
    command.args(["--target", &gateway.process.pid().to_string(), "--net"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    let head = Request::upgrade("/proxy/dead").head();
    output_of(command.args(["bash", "-c", script, "ask", address, &head]))
}

#[test]
fn without_credentials_strangers_are_refused_and_private_peers_are_not() {
    let gateway = isolated(&[]);
    let refused = ask(&gateway, STRANGER);
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    assert!(refused.contains("--allow-anonymous"), "the text names the flag: {refused}");
    for address in ["127.0.0.1", "::1", PRIVATE] {
        let answer = ask(&gateway, address);
        assert!(answer.starts_with("HTTP/1.1 502 "), "{address} gets as far as the dial: {answer}");
    }
    assert!(gateway.process.warned("strangers"), "it warns at start of what this does and does not");
}

#[test]
fn allow_anonymous_lets_strangers_in() {
    let gateway = isolated(&["--allow-anonymous"]);
    let answer = ask(&gateway, STRANGER);
    assert!(answer.starts_with("HTTP/1.1 502 "), "it gets as far as the dial: {answer}");
}

#[test]
fn a_forwarded_address_does_not_make_a_stranger() {
    let gateway = Gateway::start("dead,127.0.0.1:1\n", &[]);
    let answer = Request::upgrade("/proxy/dead").with("X-Forwarded-For", STRANGER).ask(gateway.address);
    assert_eq!(answer.status, 502, "judged on the TCP peer: {answer:?}");
}
