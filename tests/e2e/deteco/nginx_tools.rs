//! `nginx-conf` and `nginx-check`: what they print and read is what the real nginx runs.

use std::process::Command;
use std::time::Duration;

use e2e::application::{Application, received};
use e2e::deteco::{Deteco, service};
use e2e::issuer::Issuer;
use e2e::nginx::{LISTEN, Nginx, Sample};
use e2e::process::Process;
use e2e::programs::{output_of, program};
use e2e::scratch::Scratch;

use super::get;

/// The exit status of `nginx-check` for a site, and what it says.
fn check(sample: &Sample) -> (Option<i32>, String) {
    let scratch = Scratch::new();
    let file =
        scratch.write("nginx.conf", format!("events {{}}\nhttp {{\n{sample}\n}}\n").replace(LISTEN, "80"));
    let mut process = Process::spawn("deteco", Command::new(program("deteco")).args(["nginx-check", &file]));
    let status = process.wait(Duration::from_secs(10));
    (status.code(), process.stdout() + &process.stderr())
}

fn sample() -> Sample {
    Sample::new("127.0.0.1:8080", ([127, 0, 0, 1], 3000).into())
}

#[test]
fn nginx_conf_prints_what_nginx_runs_and_what_guards() {
    let issuer = Issuer::es256("a");
    let deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
    let application = Application::start();
    let mut command = Command::new(program("deteco"));
    command.args(["nginx-conf", "--listen", &deteco.address.to_string()]);
    command.args(["--app", &format!("http://{}", application.address())]);
    let printed = output_of(&mut command);
    assert_eq!(printed.matches("listen 80;").count(), 1, "{printed}");
    let nginx = Nginx::start(&printed.replace("listen 80;", &format!("listen {LISTEN};")));
    let alice = issuer.bearer("alice");
    let answer = get("/path1", &alice).with("X-Deteco-User", "root").ask(nginx.address);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(received(&answer, "X-Deteco-User"), ["alice"]);
    assert_eq!(get("/path1", "").ask(nginx.address).status, 401);
    assert_eq!(get("/path1/../secret", &alice).ask(nginx.address).status, 403);
    assert_eq!(application.targets(), ["/path1"]);
}

#[test]
fn nginx_check_finds_nothing_in_the_sample() {
    let (status, said) = check(&sample());
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("nginx.conf:"), "{said}");
}

#[test]
fn nginx_check_names_the_line_of_each_hole() {
    for (hole, from, to) in [
        ("anybody may ask deteco", "internal;", ""),
        ("another path than the client's", "X-Original-URI $request_uri;", "X-Original-URI $uri;"),
        ("the client's own method", "proxy_set_header X-Original-Method $request_method;", ""),
        ("the client's own scope", "proxy_set_header X-Deteco-Scope $deteco_scope;", ""),
        ("the client's own identity", "proxy_set_header X-Deteco-User $deteco_user;", ""),
        ("an answer for everybody", "internal;", "internal; proxy_cache x; proxy_cache_key $request_uri;"),
        ("an answer before the question", "auth_request /_deteco;", "auth_request /_deteco; return 200;"),
    ] {
        let (status, said) = check(&sample().replacing(from, to));
        assert!(status.is_some_and(|status| status != 0), "{hole}: {said}");
        assert!(said.contains("nginx.conf:"), "{hole}: {said}");
    }
}
