//! `wsgate-client check URL`: what works and what does not, step by step; exit status 0 or 1.

use std::process::{Command, Output, Stdio};

use e2e::balancer::Balancer;
use e2e::certificate::Authority;
use e2e::destination::{Destination, refusing};
use e2e::issuer::Issuer;
use e2e::programs::{Gateway, program};
use e2e::web_server::{WebServer, answer};

fn check(url: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(program("wsgate-client"));
    command.env_remove("HTTPS_PROXY").env_remove("https_proxy");
    command.args(["check", url]).args(flags).stdin(Stdio::null()).output().unwrap()
}

/// Both of what it wrote.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// It fails with exit status 1 and says all of this.
fn fails(url: &str, flags: &[&str], words: &[&str]) {
    let output = check(url, &[&["--connect-timeout", "2s"], flags].concat());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{url}: {said}");
    for word in words {
        assert!(said.to_lowercase().contains(&word.to_lowercase()), "{url}: {word:?} in: {said}");
    }
}

#[test]
fn check_of_what_works_says_each_step_and_exits_0() {
    let destination = Destination::echo();
    let (authority, issuer) = (Authority::new(), Issuer::es256("a"));
    let gateway = Gateway::start(&destination.map("db"), &["--public-key", &issuer.public()]);
    let nginx = Balancer::nginx(gateway.address, &authority);
    let url = format!("{}/proxy/db", nginx.https.as_ref().unwrap());
    let flags = ["--ca", &authority.ca(), "--private-key", &issuer.private(), "--private-key-user", "alice"];
    let output = check(&url, &flags);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for word in ["name", "tcp", "tls", "101", "credential", "dialect", "ms"] {
        assert!(said.to_lowercase().contains(word), "{word:?} in: {said}");
    }
    assert!(!said.contains("eyJ"), "no token: {said}");
}

#[test]
fn check_fails_at_a_name_that_nobody_resolves() {
    fails("https://gateway.invalid/proxy/db", &[], &["gateway.invalid"]);
}

#[test]
fn check_fails_at_a_port_that_refuses() {
    let address = refusing();
    fails(&format!("http://{address}/proxy/db"), &[], &["tcp", "refused"]);
}

#[test]
fn check_fails_at_a_certificate_of_somebody_else() {
    let destination = Destination::echo();
    let [authority, foreign] = [(); 2].map(|()| Authority::new());
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let nginx = Balancer::nginx(gateway.address, &authority);
    let url = format!("{}/proxy/db", nginx.https.as_ref().unwrap());
    fails(&url, &["--ca", &foreign.ca()], &["tls", "certificate"]);
}

#[test]
fn check_fails_at_what_is_no_gateway() {
    let portal = WebServer::answering(|_| answer("200 OK", "", "<html>log in</html>"));
    fails(&portal.url("/proxy/db"), &[], &["200"]);
}

#[test]
fn check_fails_at_a_credential_that_is_missing_or_wrong() {
    let destination = Destination::echo();
    let [ours, theirs] = ["a", "b"].map(Issuer::es256);
    let gateway = Gateway::start(&destination.map("db"), &["--public-key", &theirs.public()]);
    fails(&gateway.url("db"), &[], &["401", "credential"]);
    fails(&gateway.url("db"), &["--private-key", &ours.private()], &["401", "credential"]);
}

#[test]
fn check_fails_at_a_destination_that_is_unknown_or_dead() {
    let gateway = Gateway::start(&format!("dead,{}\n", refusing()), &[]);
    fails(&gateway.url("nowhere"), &[], &["404", "no such destination"]);
    fails(&gateway.url("dead"), &[], &["502", "dead"]);
}

#[test]
fn check_fails_at_a_rule_that_forbids() {
    let destination = Destination::echo();
    let issuer = Issuer::es256("a");
    let config = format!(
        "public_key = [{:?}]\n[[destination]]\nname = \"mysql\"\nupstream = \"{}\"\nallow = [\"bob\"]\n",
        issuer.public(),
        destination.address
    );
    let gateway = Gateway::configured(&config, &[]);
    let flags = ["--private-key", &issuer.private(), "--private-key-user", "alice"];
    fails(&gateway.url("mysql"), &flags, &["403", "not allowed to reach mysql"]);
}
