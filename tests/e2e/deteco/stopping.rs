//! An end with a successor, and one without: who has asked is answered.

use std::io::{BufReader, Write};
use std::time::Duration;

use e2e::application::Application;
use e2e::deteco::{Deteco, question, service};
use e2e::eventually::eventually;
use e2e::http::{Response, get as page};
use e2e::issuer::Issuer;
use e2e::nginx::Sample;
use e2e::process::Signal;
use e2e::programs::connect;
use e2e::supervised::Supervised;

use super::{get, under_load};

const PROMPT: Duration = Duration::from_secs(10);

#[test]
fn several_hups_of_start_server_under_load_lose_no_request() {
    let issuer = Issuer::es256("a");
    let mut deteco = Supervised::start("deteco", "--conf", &service("alice", &issuer, &["/path1"]));
    let application = Application::start();
    let nginx = Sample::new(deteco.address, application.address()).start();
    let request = get("/path1", &issuer.bearer("alice"));
    let first = deteco.generations();
    let failures = under_load(nginx.address, &request, || {
        for _ in 0..3 {
            deteco.hup();
        }
        eventually("the old generations have ended", || (deteco.generations().len() == 1).then_some(()));
    });
    assert_eq!(failures, Vec::<String>::new());
    assert_ne!(deteco.generations(), first, "it was replaced");
}

#[test]
fn several_hups_of_start_server_lose_no_connection() {
    // nginx asks again on a new connection when one that it kept fails; here nobody does.
    let issuer = Issuer::es256("a");
    let mut deteco = Supervised::start("deteco", "--conf", &service("alice", &issuer, &["/path1"]));
    let request = question("/path1", &issuer.bearer("alice")).with("Connection", "close");
    let failures = under_load(deteco.address, &request, || (0..2).for_each(|_| deteco.hup()));
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn requests_that_were_sent_before_sigterm_are_answered() {
    for round in 0..5 {
        let issuer = Issuer::es256("a");
        let mut deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
        let request = question("/path1", &issuer.bearer("alice")).head();
        let mut readers: Vec<_> = (0..50).map(|_| BufReader::new(connect(deteco.address))).collect();
        for reader in &mut readers {
            reader.get_mut().write_all(request.as_bytes()).unwrap();
            assert_eq!(Response::read(reader).unwrap().status, 200);
        }
        // Each connection is known to deteco, and a request is on its way on it.
        for reader in &mut readers {
            reader.get_mut().write_all(request.as_bytes()).unwrap();
        }
        deteco.process.signal(Signal::TERM);
        for (number, reader) in readers.iter_mut().enumerate() {
            let answer = Response::read(reader);
            assert_eq!(
                answer.map(|answer| answer.status).ok(),
                Some(200),
                "round {round}, connection {number}"
            );
        }
        drop(readers);
        assert_eq!(deteco.process.wait(PROMPT).code(), Some(0));
    }
}

#[test]
fn an_idle_connection_of_nginx_does_not_keep_it_from_ending() {
    let issuer = Issuer::es256("a");
    let mut deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
    let application = Application::start();
    let nginx = Sample::new(deteco.address, application.address()).start();
    assert_eq!(get("/path1", &issuer.bearer("alice")).ask(nginx.address).status, 200);
    deteco.process.signal(Signal::TERM);
    assert_eq!(deteco.process.wait(PROMPT).code(), Some(0), "nginx keeps its connections for a minute");
}

#[test]
fn half_a_request_does_not_keep_it_from_ending() {
    let issuer = Issuer::es256("a");
    let mut deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
    let mut half = connect(deteco.address);
    let head = question("/path1", &issuer.bearer("alice")).head();
    half.write_all(&head.as_bytes()[..head.len() / 2]).unwrap();
    assert_eq!(page(deteco.address, "/ready").status, 200);
    deteco.process.signal(Signal::TERM);
    assert_eq!(deteco.process.wait(PROMPT).code(), Some(0));
}
