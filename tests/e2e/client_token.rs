//! The tokens that the client makes itself, reads from a file, or is told by a command.

use std::fs;
use std::process::Command;
use std::time::Duration;

use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::issuer::{Issuer, NewKey, claims, now};
use e2e::process::Process;
use e2e::programs::{Client, Gateway, program};
use e2e::scratch::Scratch;
use serde_json::json;

use super::client_credential::{remembering, sent, verified};
use super::client_flags::{echo_through, echoes, fails};

#[test]
fn private_key_signs_a_token_of_a_minute_for_the_user() {
    let gateway = remembering();
    for kind in [NewKey::Rsa2048, NewKey::P256, NewKey::Ed25519] {
        let own = Issuer::new(kind, "own");
        let client = Client::start(&gateway.url(), &["--private-key", &own.private()]);
        fails(&client, "gateway answered 404");
        let claims = verified(sent(&gateway, "Authorization").strip_prefix("Bearer ").unwrap(), &own);
        assert_eq!(claims["sub"], "private-key-user");
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert!((50..=70).contains(&life), "{life} s");
    }
}

#[test]
fn token_file_is_read_again_when_it_changes() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let gateway = Gateway::start(&destination.map("db"), &["--public-key", &issuer.public()]);
    let dir = Scratch::new();
    let file = dir.write("token", "old\n");
    let client = Client::start(&gateway.url("db"), &["--token-file", &file]);
    fails(&client, "gateway answered 401");
    let token = issuer.token(&claims("alice", json!({})));
    dir.write("token", format!("{token}\n"));
    eventually("the new token is used", || echoes(&client.connect()).then_some(()));
    assert!(!client.process.stderr().contains(&token), "no token in the log");
}

#[test]
fn token_command_is_run_by_a_shell_and_its_output_is_never_logged() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let gateway = Gateway::start(&destination.map("db"), &["--public-key", &issuer.public()]);
    let dir = Scratch::new();
    let token = issuer.token(&claims("alice", json!({"exp": now() + 3600})));
    let file = dir.write("token", &token);
    let runs = dir.file("runs");
    let command = format!("echo run >>{runs} && cat {file}");
    let client = Client::start(&gateway.url("db"), &["--token-command", &command, "--log-level", "debug"]);
    for _ in 0..3 {
        echo_through(&client);
    }
    assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 1, "one run for a token of an hour");
    assert!(!client.process.stderr().contains(&token), "no token in the log");
}

#[test]
fn token_command_is_run_again_before_its_token_expires() {
    let dir = Scratch::new();
    let issuer = Issuer::es256("a");
    let runs = dir.file("runs");
    let token = dir.write("token", issuer.token(&claims("alice", json!({"exp": now() + 40}))));
    let gateway = remembering();
    let command = format!("echo run >>{runs}; cat {token}");
    let client = Client::start(&gateway.url(), &["--token-command", &command]);
    fails(&client, "gateway answered 404");
    dir.write("token", issuer.token(&claims("bob", json!({"exp": now() + 3600}))));
    eventually("the next is used", || {
        drop(client.connect());
        let bearer = sent(&gateway, "Authorization");
        (verified(bearer.strip_prefix("Bearer ")?, &issuer)["sub"] == "bob").then_some(())
    });
}

#[test]
fn token_command_that_fails_is_said_without_what_it_wrote_to_stdout() {
    let dir = Scratch::new();
    let gateway = remembering();
    let map = dir.write("client.map", format!("127.0.0.1:0,{}\n", gateway.url()));
    for output in ["echo swordfish; exit 3", "true", "echo two words; echo swordfish"] {
        let script = dir.write("script", output);
        let mut command = Command::new(program("wsgate-client"));
        command.args(["--map", &map, "--token-command", &format!("sh {script}")]);
        let mut process = Process::spawn("wsgate-client", &mut command);
        assert_eq!(process.wait(Duration::from_secs(10)).code(), Some(1), "{output}");
        let stderr = process.stderr();
        assert!(stderr.contains("--token-command"), "{output}: {stderr}");
        assert!(!stderr.contains("swordfish"), "{output}: {stderr}");
    }
    assert!(gateway.seen().is_empty(), "without a token the gateway is not asked");
}
