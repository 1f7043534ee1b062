//! Every spelling that unit files of the original programs contain.

use std::process::Command;
use std::time::Duration;

use e2e::eventually::eventually;
use e2e::process::Process;
use e2e::programs::{addresses, program};
use e2e::scratch::Scratch;

const LONG: Duration = Duration::from_secs(10);

fn start(name: &str, arguments: &[&str]) -> Process {
    Process::spawn(name, Command::new(program(name)).args(arguments))
}

/// The program comes up with these arguments.
fn accepts(name: &str, arguments: &[&str]) {
    let mut process = start(name, arguments);
    eventually("it listens", || {
        if let Some(status) = process.exited() {
            panic!("{name} {arguments:?} ended with {status}: {}", process.stderr());
        }
        addresses(&process).first().copied()
    });
}

/// The program knows the flag, but not this value: exit status 2, and the message names the flag.
fn judges(name: &str, arguments: &[&str], flag: &str) {
    let mut process = start(name, arguments);
    let status = process.wait(LONG);
    let stderr = process.stderr();
    assert_eq!(status.code(), Some(2), "{name} {arguments:?}: {stderr}");
    assert!(stderr.contains(&format!("--{flag}")), "{name} {arguments:?}: {stderr}");
    assert!(!stderr.contains("unexpected argument"), "{name} {arguments:?}: {stderr}");
}

#[test]
fn the_server_takes_every_spelling_of_the_original() {
    let scratch = Scratch::new();
    let map = scratch.write("server.map", "");
    let key = scratch.file("key.pub");
    e2e::certificate::openssl(&scratch, "genpkey -algorithm ED25519 -out key");
    e2e::certificate::openssl(&scratch, "pkey -in key -pubout -out key.pub");
    let listen = "127.0.0.1:0";
    let maps = format!("-map={map}");
    let keys = format!("-public_key={key}");
    for spelling in [
        &["-listen", listen, "-map", &map][..],
        &["--listen=127.0.0.1:0", &maps],
        &["-listen=127.0.0.1:0", "-handshake_timeout", "3s", "-write_timeout=3s", "-dial_timeout=1m30s"],
        &["--listen", listen, "--handshake-timeout", "3s", "--write_timeout", "3s", "--dial-timeout=500ms"],
        &["-listen", listen, "-shutdown_timeout", "24h", "-enable_compression"],
        &[
            "-listen",
            listen,
            "--shutdown-timeout=1h0m0s",
            "-enable_compression=false",
            "-enable-compression=true",
        ],
        &["-listen", listen, "--enable-compression=0", "--enable_compression=1"],
        &["-listen", listen, "-public-key", &key, "-jwt-freshness", "1h"],
        &["-listen", listen, &keys, "--jwt_freshness=90m", "-dump-tcp", "2"],
        &["-listen", listen, "-dump_tcp=0", "-dump-tcp=1"],
        &["-listen", "127.0.0.1:1", "-listen", listen],
    ] {
        accepts("wsgate-server", &[&["--log-format", "json"], spelling].concat());
    }
}

#[test]
fn the_client_takes_every_spelling_of_the_original() {
    let scratch = Scratch::new();
    let map = scratch.write("client.map", "127.0.0.1:0,http://127.0.0.1:1/proxy/x\n");
    e2e::certificate::openssl(&scratch, "genpkey -algorithm ED25519 -out key");
    let key = scratch.file("key");
    let equals = format!("--map={map}");
    for spelling in [
        &["--map", &map, "--connect-timeout", "3s", "--shutdown-timeout=1h"][..],
        &[&equals, "--connect_timeout=1m", "--shutdown_timeout", "1h30m"],
        &["--map", &map, "-H", "X-One: 1", "--headers", "X-Two: 2", "-H=X-Three: 3", "--headers=X-Four: 4"],
        &["--map", &map, "--private-key", &key, "--private-key-user", "alice"],
        &["--map", &map, "--private_key", &key, "--private_key_user=alice", "--enable-compression"],
        &["--map", &map, "--enable_compression=false"],
    ] {
        accepts("wsgate-client", &[&["--log-format", "json"], spelling].concat());
    }
}

#[test]
fn a_wrong_value_is_a_usage_error_under_every_spelling() {
    for (spelling, flag) in [
        ("-handshake_timeout=soon", "handshake-timeout"),
        ("--handshake-timeout=soon", "handshake-timeout"),
        ("-dial_timeout=soon", "dial-timeout"),
        ("-write_timeout=soon", "write-timeout"),
        ("-shutdown_timeout=soon", "shutdown-timeout"),
        ("-jwt-freshness=soon", "jwt-freshness"),
        ("-enable_compression=perhaps", "enable-compression"),
        ("-dump-tcp=9", "dump-tcp"),
        ("-listen=nowhere", "listen"),
        ("--max-connections=many", "max-connections"),
    ] {
        judges("wsgate-server", &["--listen", "127.0.0.1:0", spelling], flag);
    }
    for (spelling, flag) in [
        ("--connect_timeout=soon", "connect-timeout"),
        ("--connect-timeout=soon", "connect-timeout"),
        ("--shutdown-timeout=soon", "shutdown-timeout"),
        ("--headers=no colon", "headers"),
        ("-Hno colon", "headers"),
    ] {
        judges("wsgate-client", &[spelling], flag);
    }
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    for name in ["wsgate-server", "wsgate-client"] {
        let mut process = start(name, &["--no-such-flag"]);
        assert_eq!(process.wait(LONG).code(), Some(2), "{name}: {}", process.stderr());
        assert!(process.stderr().contains("--no-such-flag"), "{name}: {}", process.stderr());
    }
}

#[test]
fn the_version_is_the_name_and_then_the_number() {
    for (name, spellings) in
        [("wsgate-server", &["-version", "--version"][..]), ("wsgate-client", &["-v", "--version"])]
    {
        for spelling in spellings {
            let mut process = start(name, &[spelling]);
            assert!(process.wait(LONG).success(), "{name} {spelling}: {}", process.stderr());
            let expected = format!("{name} {}", env!("CARGO_PKG_VERSION"));
            assert!(process.stdout().starts_with(&expected), "{name} {spelling}: {:?}", process.stdout());
        }
    }
}

#[test]
fn values_are_never_rewritten() {
    let scratch = Scratch::new();
    let map = scratch.write("under_score.map", "mysql\n");
    let mut process = start("wsgate-server", &["-map", &map]);
    assert_eq!(process.wait(LONG).code(), Some(2));
    assert!(process.stderr().contains("under_score.map:1"), "{}", process.stderr());
}
