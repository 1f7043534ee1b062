//! What the client does with a gateway's answer: report it, repeat what may be repeated, end what may not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::destination::{Destination, refusing};
use e2e::eventually::{eventually, within};
use e2e::fake_gateway::{FakeGateway, header_of};
use e2e::frame::Frame;
use e2e::process::Process;
use e2e::programs::{Client, Gateway, connect, program};
use e2e::scratch::Scratch;
use e2e::websocket::End;

/// An HTTP answer with a text and, if not empty, more header lines.
fn answer(status: &str, headers: &str, text: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// The application's connection ends within a few seconds, and the log says why.
fn fails(client: &Client, reported: &str) {
    let application = client.connect();
    application.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_ne!(End::of_stream(&application), End::Silence, "the application is told promptly");
    within(Duration::from_secs(5), reported, || client.process.stderr().contains(reported).then_some(()));
}

#[test]
fn the_status_and_the_text_of_a_refusal_are_reported() {
    let gateway = FakeGateway::answering(|_| {
        answer("403 Forbidden", "Wsgate-Refusal: forbidden\r\n", "not allowed to reach mysql")
    });
    let client = Client::start(&gateway.url(), &[]);
    fails(&client, "gateway answered 403 Forbidden: not allowed to reach mysql");
    assert_eq!(gateway.seen().len(), 1, "a refusal is final");
}

#[test]
fn our_gateways_refusals_are_reported() {
    let gateway = Gateway::start(&format!("dead,{}\n", refusing()), &[]);
    fails(&Client::start(&gateway.url("nowhere"), &[]), "gateway answered 404 Not Found: ");
    fails(&Client::start(&gateway.url("dead"), &[]), "gateway answered 502 Bad Gateway: ");
}

#[test]
fn a_long_text_is_cut_and_cannot_forge_a_log_line() {
    let gateway = FakeGateway::answering(|_| {
        let text = format!("first\n{{\"message\":\"forged\"}}\n\u{1b}[31m{}", "x".repeat(100_000));
        answer("404 Not Found", "", &text)
    });
    let client = Client::start(&gateway.url(), &[]);
    fails(&client, "gateway answered 404 Not Found: first");
    assert!(client.process.events_of("forged").is_empty());
    let longest = client.process.stderr().lines().map(str::len).max().unwrap();
    assert!(longest < 4_096, "a line of {longest} bytes");
}

#[test]
fn final_answers_are_not_repeated() {
    for refusal in [
        answer("401 Unauthorized", "Wsgate-Refusal: credential\r\n", "no"),
        answer("404 Not Found", "Wsgate-Refusal: unknown-destination\r\n", "no"),
        answer("502 Bad Gateway", "Wsgate-Refusal: destination-refused\r\n", "a dead MySQL fails at once"),
        answer("504 Gateway Timeout", "Wsgate-Refusal: destination-timeout\r\n", "no"),
        answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        answer("200 OK", "", "a captive portal"),
    ] {
        let status = refusal.lines().next().unwrap().trim_start_matches("HTTP/1.1 ").to_owned();
        let gateway = FakeGateway::answering(move |_| refusal.clone());
        let client = Client::start(&gateway.url(), &[]);
        fails(&client, &format!("gateway answered {status}"));
        assert_eq!(gateway.seen().len(), 1, "{status}");
    }
}

#[test]
fn what_a_balancer_answers_during_a_restart_is_repeated() {
    let restarting = [
        answer("502 Bad Gateway", "", "<html>the balancer's own page"),
        answer("503 Service Unavailable", "", "<html>"),
        answer("504 Gateway Timeout", "", "<html>"),
        answer("503 Service Unavailable", "Wsgate-Refusal: draining\r\nRetry-After: 1\r\n", "draining"),
        answer("503 Service Unavailable", "Wsgate-Refusal: limit\r\nRetry-After: 1\r\n", "full"),
    ];
    let count = restarting.len();
    let gateway = FakeGateway::answering(move |attempt| {
        restarting.get(attempt).cloned().unwrap_or_else(|| answer("410 Gone", "", "that was all"))
    });
    let client = Client::start(&gateway.url(), &["--connect-timeout", "30s"]);
    let application = client.connect();
    eventually("it gives up at the first final answer", || {
        client.process.stderr().contains("gateway answered 410 Gone: that was all").then_some(())
    });
    assert_ne!(End::of_stream(&application), End::Silence);
    assert_eq!(gateway.seen().len(), count + 1);
}

#[test]
fn refused_connects_are_repeated_until_the_gateway_comes_up() {
    let destination = Destination::echo();
    let later = refusing();
    let flags = ["--connect-timeout", "30s", "--log-level", "debug"];
    let client = Client::start(&format!("http://{later}/proxy/db"), &flags);
    let mut application = client.connect();
    application.write_all(b"early").unwrap();
    eventually("the first attempt failed", || {
        client.process.stderr().to_lowercase().contains("refused").then_some(())
    });
    let mut command = std::process::Command::new(program("wsgate-server"));
    command.args(["--listen", &later.to_string()]);
    let _gateway = Gateway::from_command(command, &destination.map("db"), &[]);
    let mut got = [0; 5];
    application.read_exact(&mut got).expect("the early bytes come back");
    assert_eq!(&got, b"early");
}

#[test]
fn the_connect_timeout_is_enforced() {
    let client = Client::start(&format!("http://{}/proxy/db", refusing()), &["--connect-timeout", "1s"]);
    let start = Instant::now();
    assert_ne!(End::of_stream(&client.connect()), End::Silence);
    let took = start.elapsed();
    // It may stop when the next pause would end too late.
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "it took {took:?}");
}

#[test]
fn a_gateway_that_accepts_and_says_nothing_is_given_up_after_the_connect_timeout() {
    let (silent, _held) = Destination::played();
    let client = Client::start(&format!("http://{}/proxy/db", silent.address), &["--connect-timeout", "1s"]);
    let start = Instant::now();
    assert_ne!(End::of_stream(&client.connect()), End::Silence);
    assert!(start.elapsed() < Duration::from_secs(6), "it took {:?}", start.elapsed());
}

#[test]
fn an_application_that_gives_up_ends_the_attempts() {
    let gateway = FakeGateway::answering(|_| answer("503 Service Unavailable", "", ""));
    let mut client = Client::start(&gateway.url(), &["--connect-timeout", "1h"]);
    let application = client.connect();
    eventually("it tries", || (!gateway.seen().is_empty()).then_some(()));
    e2e::programs::reset(application);
    client.process.signal(e2e::process::Signal::TERM);
    assert_eq!(client.process.wait(Duration::from_secs(10)).code(), Some(0), "nothing is left to wait for");
}

#[test]
fn the_headers_of_the_flags_are_sent_and_the_origin_is_the_urls() {
    let gateway = FakeGateway::answering(|_| answer("404 Not Found", "", ""));
    let flags =
        ["-H", "X-One: 1", "--headers", "X-Two: two words", "-H=Host: public.test", "-H", "User-Agent: mine"];
    let client = Client::start(&gateway.url(), &flags);
    fails(&client, "gateway answered 404");
    let head = &gateway.seen()[0];
    assert_eq!(head[0], "GET /proxy/db HTTP/1.1");
    assert_eq!(header_of(head, "X-One"), Some("1"));
    assert_eq!(header_of(head, "X-Two"), Some("two words"));
    assert_eq!(header_of(head, "Host"), Some("public.test"));
    assert_eq!(header_of(head, "User-Agent"), Some("mine"));
    let origin = gateway.url().replace("/proxy/db", "");
    assert_eq!(header_of(head, "Origin"), Some(origin.as_str()));
    assert_eq!(header_of(head, "Sec-WebSocket-Version"), Some("13"));
}

#[test]
fn headers_that_are_the_clients_own_are_an_error_at_start() {
    let scratch = Scratch::new();
    let map = scratch.write("client.map", "127.0.0.1:0,http://127.0.0.1:1/proxy/x\n");
    e2e::certificate::openssl(&scratch, "genpkey -algorithm ED25519 -out key");
    let key = scratch.file("key");
    for flags in [
        &["-H", "Connection: close"][..],
        &["-H", "Upgrade: h2c"],
        &["-H", "Sec-WebSocket-Key: x"],
        &["-H", "X-Bad: a\r\nX-Forged: b"],
        &["-H", "Authorization: Bearer x", "--private-key", &key],
    ] {
        let mut command = std::process::Command::new(program("wsgate-client"));
        let mut process = Process::spawn("wsgate-client", command.args(["--map", &map]).args(flags));
        assert_eq!(process.wait(Duration::from_secs(10)).code(), Some(2), "{flags:?}: {}", process.stderr());
    }
}

#[test]
fn frames_of_the_client_are_masked_binary_and_its_end_is_close_1000() {
    let (sender, frames) = std::sync::mpsc::channel();
    let gateway = FakeGateway::upgrading(move |stream| {
        while let Ok(Some(frame)) = Frame::read(&mut &stream) {
            sender.send(frame).unwrap();
        }
    });
    let client = Client::start(&gateway.url(), &[]);
    let application: TcpStream = connect(client.address);
    (&application).write_all(b"hello").unwrap();
    let first = frames.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(first, Frame::binary("hello"));
    drop(application);
    let last = frames.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((last.close_code(), last.masked), (Some(1000), true), "{last:?}");
}
