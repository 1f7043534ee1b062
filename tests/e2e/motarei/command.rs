//! What people and scripts ask: `status`, `wait`, `check`.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::docker::{Container, docker, unique_label};
use e2e::eventually::PATIENCE;
use e2e::motarei::{Motarei, said};
use e2e::process::{Process, Signal};
use e2e::programs::{output_of, program};
use serde_json::Value;

#[test]
fn status_says_why_a_container_is_not_ready() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let good = Container::start(&label, &[]);
    let bad = Container::start(&label, &["SERVE=nothing"]);
    proxy.routes_to(&good.id);
    proxy.is(&bad.id, "probing");
    let text = output_of(&mut proxy.command(&["status"]));
    for part in [good.short(), bad.short(), "ready", "probing", "refuses connections"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let json: Value = serde_json::from_str(&output_of(&mut proxy.command(&["status", "--json"]))).unwrap();
    assert_eq!(json["pid"], proxy.process.pid());
    assert_eq!(json["apps"][0]["routed"], good.id);
    assert_eq!(json["apps"][0]["containers"][0]["id"], bad.id, "the newest first");
    assert_eq!(json["apps"][0]["listeners"][0]["bound"][0], proxy.address().to_string());
}

#[test]
fn status_of_nobody_is_an_error_that_says_where_it_asked() {
    let mut proxy = Motarei::start(&unique_label(), &[]);
    let mut command = proxy.command(&["status"]);
    proxy.address();
    proxy.process.signal(Signal::TERM);
    proxy.process.wait(Duration::from_secs(5));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("status.sock"), "{}", said(&output));
}

fn wait(proxy: &Motarei, label: &str, newer_than: &str, timeout: &str) -> Command {
    let words = ["wait", "--label", label, "--newer-than", newer_than, "--timeout", timeout];
    proxy.command(&words)
}

#[test]
fn wait_ends_when_the_deploy_serves() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let old = Container::start(&label, &[]);
    proxy.routes_to(&old.id);
    let start = Instant::now();
    let mut waiting = Process::spawn("motarei wait", &mut wait(&proxy, &label, &old.id, "30s"));
    let new = Container::start(&label, &["BOOT=1"]);
    assert_eq!(waiting.wait(PATIENCE).code(), Some(0), "{}", waiting.stderr());
    assert_eq!(waiting.stdout().trim(), new.id);
    assert!(start.elapsed() >= Duration::from_secs(1), "not before it is ready");
    assert_eq!(proxy.status().unwrap().routed(), Some(new.id.as_str()));
    output_of(&mut wait(&proxy, &label, old.short(), "30s")); // it serves already
}

#[test]
fn wait_fails_when_its_time_is_over() {
    let label = unique_label();
    let proxy = Motarei::start(&label, &[]);
    let old = Container::start(&label, &[]);
    proxy.routes_to(&old.id);
    let never = Container::start(&label, &["SERVE=nothing"]);
    let output = wait(&proxy, &label, &old.id, "2s").output().unwrap();
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains(&never.name()) && said.contains("refuses connections"), "why: {said}");
}

/// What `check` says of the containers of a label.
fn check(label: &str) -> String {
    let mut command = Command::new(program("motarei"));
    said(&docker().prepare(&mut command).args(["check", "--label", label]).output().unwrap())
}

#[test]
fn check_warns_of_a_pid_1_that_does_not_hear_term() {
    let (good, bad) = (unique_label(), unique_label());
    let _hears = Container::start(&good, &[]);
    let deaf = Container::of_program(&bad, &["--publish-all"], &["sleep", "1000"]);
    let warning = check(&bad);
    assert!(warning.contains("PID 1") && warning.contains("TERM"), "{warning}");
    assert!(warning.contains(&deaf.name()), "which: {warning}");
    let fine = check(&good);
    assert!(!fine.contains("PID 1"), "a shell that traps it: {fine}");
}

#[test]
fn check_warns_of_a_slow_healthcheck() {
    let label = unique_label();
    let health = ["--health-cmd", "true", "--health-interval", "60s"];
    let _slow = Container::with_flags(&label, &health, &[]);
    let warning = check(&label);
    assert!(warning.contains("HEALTHCHECK"), "{warning}");
}
