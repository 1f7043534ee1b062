//! Requests on real sockets, and what a closing connection still answers.

use super::*;
use crate::test::{self, gate};
use crate::{Config, Patience};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const AUTH: &str = "GET /auth HTTP/1.1\r\nHost: d\r\n\r\n";

struct Caller {
    stream: TcpStream,
    serving: JoinHandle<()>,
}

/// A caller whose connection is served.
async fn call(gate: &Arc<Gate>) -> Caller {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    let serving = tokio::spawn(serve(gate.clone(), accepted, peer.into()));
    Caller { stream, serving }
}

impl Caller {
    /// Puts bytes into the kernel while nobody else runs.
    fn write(&self, text: &str) {
        assert_eq!(self.stream.try_write(text.as_bytes()).unwrap(), text.len());
    }

    /// One answer without a body.
    async fn head(&mut self) -> String {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            let byte = timeout(Duration::from_secs(5), self.stream.read_u8()).await;
            text.push(byte.expect("an answer").unwrap() as char);
        }
        text
    }

    /// All that comes until the connection is closed.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        let reading = self.stream.read_to_string(&mut text);
        timeout(Duration::from_secs(5), reading).await.expect("it is closed").unwrap();
        text
    }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// Keeps a connection that has been answered once.
async fn kept(gate: &Arc<Gate>) -> Caller {
    let mut caller = call(gate).await;
    caller.write(AUTH);
    assert!(caller.head().await.starts_with("HTTP/1.1 401 "));
    caller
}

#[tokio::test]
async fn whatever_parses_is_answered_without_a_body() {
    let many = format!("GET /auth HTTP/1.1\r\n{}\r\n", "X-Client: y\r\n".repeat(110));
    let (kept, closed) = (true, false);
    for (request, keeps) in [
        (AUTH, kept),
        ("GET /auth?x=/live HTTP/1.1\r\n\r\n", kept),
        ("HEAD /auth HTTP/1.1\r\n\r\n", kept),
        ("DELETE /auth HTTP/1.1\r\n\r\n", kept),
        ("FROB /auth HTTP/1.1\r\n\r\n", kept),
        ("GET http://elsewhere/auth HTTP/1.1\r\nHost: d\r\n\r\n", kept),
        ("GET /auth HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", kept),
        ("POST /auth HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", kept),
        ("POST /auth HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", kept),
        ("GET /auth HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", kept),
        ("CONNECT /auth HTTP/1.1\r\n\r\n", kept),
        ("GET /auth HTTP/1.0\r\n\r\n", closed),
        ("GET /auth HTTP/1.1\r\nConnection: close\r\n\r\n", closed),
        ("POST /auth HTTP/1.1\r\nContent-Length: 5\r\n\r\n", closed),
        ("POST /auth HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", closed),
        ("POST /auth HTTP/1.1\r\nContent-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n", closed),
        ("POST /auth HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", closed),
        (&many, kept),
    ] {
        let gate = gate();
        let mut caller = call(&gate).await;
        caller.write(request);
        let answer = caller.head().await;
        let version = if request.contains("HTTP/1.0") { "HTTP/1.0" } else { "HTTP/1.1" };
        assert!(answer.starts_with(&format!("{version} 401 Unauthorized\r\n")), "{request:?}: {answer}");
        assert_eq!(count(&answer, "content-length: 0\r\n"), 1, "{request:?}: {answer}");
        assert!(!answer.contains("transfer-encoding"), "{request:?}: {answer}");
        let next = if keeps { "GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n" } else { "" };
        caller.write(next);
        let rest = caller.rest().await;
        assert_eq!(rest.starts_with("HTTP/1.1 404 "), keeps, "{request:?}: {answer}{rest}");
        assert_eq!(rest.is_empty(), !keeps, "{request:?}: {answer}{rest}");
        if !keeps && version == "HTTP/1.1" {
            assert!(answer.contains("connection: close\r\n"), "{request:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn other_paths_are_for_people_and_monitors() {
    for (path, status, body) in [
        ("/", "200 OK", "OK\n"),
        ("/live", "200 OK", "OK\n"),
        ("/live?x", "200 OK", "OK\n"),
        ("/ready", "503 Service Unavailable", "no-keys\n"),
        ("/auth/", "404 Not Found", "not found\n"),
        ("/AUTH", "404 Not Found", "not found\n"),
        ("//auth", "404 Not Found", "not found\n"),
        ("/%61uth", "404 Not Found", "not found\n"),
        ("/auth;x", "404 Not Found", "not found\n"),
        ("*", "404 Not Found", "not found\n"),
    ] {
        let mut caller = call(&gate()).await;
        caller.write(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"));
        let answer = caller.rest().await;
        let (head, said) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {answer}");
        assert!(head.contains("cache-control: no-store"), "{path}: {answer}");
        assert_eq!(said, body, "{path}");
    }
}

/// nginx takes any 2xx for a yes, and `proxy_pass http://deteco/;` is soon written.
#[tokio::test]
async fn a_question_on_another_path_gets_no_yes() {
    for path in ["/", "/live", "/live?x", "/ready", "/nothing"] {
        for header in ["X-Original-URI: /a", "x-original-method: GET", "X-Deteco-Scope: s"] {
            let mut caller = call(&gate()).await;
            caller.write(&format!("GET {path} HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n"));
            let answer = caller.rest().await;
            assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path} {header}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_does_not_parse_is_answered_and_closed() {
    let many = format!("GET /auth HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1025));
    let long = format!("GET /auth HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(HEAD_BYTES));
    for (request, status) in [
        ("what is this\r\n\r\n", "400 "),
        (&many, "431 "),
        (&long, "431 "),
        ("GET /auth HTTP/3.0\r\n\r\n", "400 "),
    ] {
        let mut caller = call(&gate()).await;
        caller.stream.write_all(request.as_bytes()).await.unwrap();
        let answer = caller.head().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer:?}");
        assert_eq!(caller.rest().await, "", "{answer:?}");
    }
}

#[tokio::test]
async fn a_caller_that_has_shut_down_its_half_is_answered() {
    let mut caller = call(&gate()).await;
    caller.write(&AUTH.repeat(2));
    caller.stream.shutdown().await.unwrap();
    assert_eq!(count(&caller.rest().await, "HTTP/1.1 401 "), 2);
    caller.serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_survives_the_body_that_nobody_reads() {
    let mut caller = call(&gate()).await;
    let body = "x".repeat(50_000);
    let request = format!("POST /auth HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{body}");
    caller.stream.write_all(request.as_bytes()).await.unwrap();
    caller.stream.write_all(b"more").await.unwrap();
    assert!(caller.rest().await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn what_lies_unread_when_the_drain_begins_is_answered() {
    for requests in [1, 3] {
        for fresh in [true, false] {
            let gate = gate();
            let mut caller = if fresh { call(&gate).await } else { kept(&gate).await };
            caller.write(&AUTH.repeat(requests));
            gate.stop.draining.cancel();
            let answers = caller.rest().await;
            assert_eq!(count(&answers, "HTTP/1.1 401 "), requests, "{answers}");
            assert_eq!(count(&answers, "connection: close"), 1, "{answers}");
            let last = answers.rfind("HTTP/1.1 401 ").unwrap();
            assert!(answers[last..].contains("connection: close"), "the last one says so: {answers}");
        }
    }
}

#[tokio::test]
async fn a_request_behind_the_signal_is_answered_too() {
    for fresh in [true, false] {
        let gate = gate();
        let mut caller = if fresh { call(&gate).await } else { kept(&gate).await };
        gate.stop.draining.cancel();
        for _ in 0..50 {
            tokio::task::yield_now().await; // the connection has heard of it
        }
        caller.write(AUTH);
        let answer = caller.rest().await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn the_last_answer_under_http_1_0_is_the_one_that_does_not_keep() {
    let gate = gate();
    let mut caller = call(&gate).await;
    let request = "GET /auth HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    caller.write(request);
    assert!(caller.head().await.contains("connection: keep-alive"));
    gate.stop.draining.cancel();
    caller.write(request);
    let answer = caller.rest().await;
    assert!(answer.starts_with("HTTP/1.0 401 ") && !answer.contains("connection:"), "{answer}");
}

#[tokio::test]
async fn half_a_head_holds_a_drain_until_it_is_complete_or_quiet() {
    let (head, tail) = AUTH.split_at(10);
    for completes in [true, false] {
        let gate = gate();
        let mut caller = kept(&gate).await;
        caller.write(head);
        gate.stop.draining.cancel();
        tokio::time::sleep(test::PATIENCE.quiet / 2).await;
        if completes {
            caller.write(tail);
        }
        assert_eq!(count(&caller.rest().await, "HTTP/1.1 401 "), usize::from(completes));
    }
}

#[tokio::test]
async fn an_idle_connection_ends_when_it_was_quiet_or_at_once_when_told() {
    for told in [false, true] {
        let gate = gate();
        let (mut kept, mut silent) = (kept(&gate).await, call(&gate).await);
        let begun = Instant::now();
        gate.stop.draining.cancel();
        if told {
            gate.stop.now.cancel();
        }
        assert_eq!(kept.rest().await + &silent.rest().await, "");
        assert_eq!(begun.elapsed() < test::PATIENCE.quiet, told);
        kept.serving.await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_ends_after_its_time_and_a_dripping_head_does_not_prolong_it() {
    let config = || Config {
        patience: Patience { head: Duration::from_millis(300), ..test::PATIENCE },
        ..test::config()
    };
    let gate = test::gate_of(config());
    let begun = Instant::now();
    let mut kept = kept(&gate).await;
    assert_eq!(kept.rest().await, "");
    assert!(begun.elapsed() >= Duration::from_millis(300));

    let gate = test::gate_of(config());
    let caller = call(&gate).await;
    let begun = Instant::now();
    while !caller.serving.is_finished() {
        let _ = caller.stream.try_write(b"G");
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "it drips for ever");
    }
}

#[tokio::test]
async fn room_is_made_by_the_idle_and_not_by_the_busy() {
    let gate = gate();
    let mut idle = kept(&gate).await;
    tokio::time::sleep(test::PATIENCE.quiet).await;
    let mut busy = kept(&gate).await;
    let mut asking = call(&gate).await;
    asking.write(AUTH);
    gate.make_room();
    assert_eq!(idle.rest().await, "");
    asking.head().await;
    busy.write(AUTH);
    assert!(!busy.head().await.contains("connection: close"));
}
