//! Answers without a body: nginx uses its connections to deteco again, whatever the answer.

use std::net::TcpStream;
use std::thread;

use e2e::application::Application;
use e2e::destination::Destination;
use e2e::deteco::{Deteco, service};
use e2e::fake_iap::carry;
use e2e::http::Conversation;
use e2e::issuer::Issuer;
use e2e::nginx::Sample;

use super::get;

const REQUESTS: usize = 10_000;
/// `keepalive` of the sample.
const POOL: usize = 32;
const CALLERS: usize = 4;

/// Asks so often, and counts the connections that deteco gets for it.
fn connections_of(path: &str, subject: &str, status: u16) -> usize {
    let issuer = Issuer::es256("a");
    let deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
    let target = deteco.address;
    let counter = Destination::serving(move |client| {
        if let Ok(upstream) = TcpStream::connect(target) {
            carry(&client, &upstream);
        }
    });
    let application = Application::start();
    let nginx = Sample::new(counter.address, application.address()).start();
    let request = get(path, &issuer.bearer(subject));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut conversation = Conversation::with(nginx.address);
                for _ in 0..REQUESTS / CALLERS {
                    assert_eq!(conversation.ask(&request).status, status);
                }
            });
        }
    });
    counter.dialled()
}

/// The number of connections is between one and those of the pool.
fn few(path: &str, subject: &str, status: u16) {
    let connections = connections_of(path, subject, status);
    assert!((1..=POOL).contains(&connections), "{connections} connections for {REQUESTS} answers {status}");
}

#[test]
fn ten_thousand_answers_200_need_no_more_connections_than_the_pool_has() {
    few("/path1/x", "alice", 200);
}

#[test]
fn ten_thousand_answers_401_need_no_more_connections_than_the_pool_has() {
    few("/path1/x", "nobody", 401);
}

#[test]
fn ten_thousand_answers_403_need_no_more_connections_than_the_pool_has() {
    few("/secret/x", "alice", 403);
}

#[test]
fn the_three_answers_have_no_body_and_are_never_stored() {
    let issuer = Issuer::es256("a");
    let deteco = Deteco::start(&service("alice", &issuer, &["/path1"]), &[]);
    let alice = issuer.bearer("alice");
    for (uri, authorization, status) in [
        ("/path1", alice.as_str(), 200),
        ("/path1", "", 401),
        ("/path1", "Bearer a.b.c", 401),
        ("/x", &alice, 403),
    ] {
        let answer = deteco.ask(uri, authorization);
        assert_eq!((answer.status, answer.header("Content-Length")), (status, Some("0")), "{answer:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401, "{answer:?}");
        assert_eq!(answer.header("X-Deteco-User"), (status == 200).then_some("alice"), "{answer:?}");
    }
}
