//! A deteco that does not answer: nginx says 5xx in time, and never shows the page.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::application::Application;
use e2e::destination::{Destination, Unanswering, refusing};
use e2e::deteco::{Deteco, service};
use e2e::eventually::eventually;
use e2e::issuer::Issuer;
use e2e::nginx::{Nginx, Sample};
use e2e::process::{Signal, send};
use e2e::programs::program;
use e2e::web_server::{WebServer, answer};

use super::{Site, get};

/// The sample's own time-outs, and what a busy machine adds.
const PROMPT: Duration = Duration::from_secs(8);

/// The sample with shorter time-outs, so that waiting for them is short, too.
fn hasty(sample: Sample) -> Sample {
    let connect = sample.replacing("proxy_connect_timeout 1s;", "proxy_connect_timeout 300ms;");
    connect.replacing("proxy_read_timeout 2s;", "proxy_read_timeout 300ms;")
}

/// nginx answers 5xx, soon, and the application learns of nothing.
fn fails_closed(what: &str, nginx: &Nginx, application: &Application, bearer: &str) {
    let (before, start) = (application.targets().len(), Instant::now());
    let answer = get("/path1", bearer).ask(nginx.address);
    assert!((500..=599).contains(&answer.status), "{what}: {answer:?}");
    assert!(start.elapsed() < PROMPT, "{what}: after {:?}", start.elapsed());
    assert_eq!(application.targets().len(), before, "{what}");
}

/// Stops every thread of it: the signal is there at once, but a thread that runs stops a little later.
fn stop(deteco: &Deteco) {
    let pid = deteco.process.pid();
    send(pid, Signal::STOP);
    let stopped = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
    };
    eventually("every thread is stopped", || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.flatten().all(stopped).then_some(())
    });
}

#[test]
fn a_deteco_that_is_killed_and_started_again() {
    let mut site = Site::new();
    let alice = site.alice();
    assert_eq!(site.get("/path1", &alice).status, 200);
    let (address, conf) = (site.deteco.address.to_string(), service("alice", &site.issuer, &["/path1"]));
    site.deteco.process.signal(Signal::KILL);
    site.deteco.process.wait(PROMPT);
    fails_closed("killed", &site.nginx, &site.application, &alice);
    fails_closed("killed", &site.nginx, &site.application, "");
    let mut again = Command::new(program("deteco"));
    again.args(["--listen", &address]);
    let _second = Deteco::from_command(again, &conf, &[]);
    eventually("nginx finds it again", || (site.get("/path1", &alice).status == 200).then_some(()));
}

#[test]
fn a_deteco_that_hangs_and_goes_on() {
    let site = Site::with(|issuer| service("alice", issuer, &["/path1"]), hasty);
    let alice = site.alice();
    assert_eq!(site.get("/path1", &alice).status, 200);
    stop(&site.deteco);
    fails_closed("hung", &site.nginx, &site.application, &alice);
    fails_closed("hung", &site.nginx, &site.application, "");
    send(site.deteco.process.pid(), Signal::CONT);
    assert_eq!(site.get("/path1", &alice).status, 200);
}

#[test]
fn the_time_outs_of_the_sample_as_it_stands() {
    let site = Site::new();
    let alice = site.alice();
    stop(&site.deteco);
    fails_closed("hung", &site.nginx, &site.application, &alice);
}

#[test]
fn what_is_there_in_place_of_deteco_lets_nobody_in() {
    let (application, alice) = (Application::start(), Issuer::es256("a").bearer("alice"));
    let closing = Destination::serving(drop);
    let silent = Destination::serving(|stream| drop(std::io::copy(&mut &stream, &mut std::io::sink())));
    let garbage = Destination::serving(|mut stream| drop(stream.write_all(b"\x15\x03\x01\x00\x02\x02\x16")));
    let torn = Destination::serving(|mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nX-Deteco-")));
    let full = Unanswering::new();
    for (what, address) in [
        ("nothing", refusing()),
        ("closes", closing.address),
        ("is silent", silent.address),
        ("speaks TLS", garbage.address),
        ("breaks off", torn.address),
        ("does not accept", full.address),
    ] {
        let nginx = hasty(Sample::new(address, application.address())).start();
        fails_closed(what, &nginx, &application, &alice);
    }
}

#[test]
fn another_status_than_the_three_lets_nobody_in() {
    let (application, alice) = (Application::start(), Issuer::es256("a").bearer("alice"));
    for status in
        ["302 Found", "400 Bad Request", "404 Not Found", "429 Too Many Requests", "503 Service Unavailable"]
    {
        let other = WebServer::answering(move |_| answer(status, "", ""));
        let nginx = Sample::new(other.authority(), application.address()).start();
        fails_closed(status, &nginx, &application, &alice);
    }
}
