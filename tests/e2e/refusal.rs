//! Every refusal is an HTTP answer with a status, a word and a short text, and costs the destination nothing.

use std::time::{Duration, Instant};

use e2e::destination::{Destination, Unanswering, refusing};
use e2e::eventually::eventually;
use e2e::http::{Request, get};
use e2e::programs::Gateway;
use e2e::websocket::WebSocket;

#[test]
fn the_pages_answer() {
    let gateway = Gateway::start("", &[]);
    for page in ["/", "/live", "/ready"] {
        let answer = get(gateway.address, page);
        assert_eq!(answer.status, 200, "{page}: {answer:?}");
    }
    assert_eq!(get(gateway.address, "/live").body.trim_end(), "OK");
    assert_eq!(get(gateway.address, "/elsewhere").status, 404);
}

#[test]
fn a_plain_get_is_told_to_upgrade() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let answer = get(gateway.address, "/proxy/db");
    assert_eq!(answer.status, 426, "{answer:?}");
    assert!(answer.header("Upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")), "{answer:?}");
    assert_ne!(answer.refusal(), "");
    assert_eq!(destination.dialled(), 0);
}

#[test]
fn a_wrong_upgrade_is_400_and_nothing_is_dialled() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let good = || Request::upgrade("/proxy/db");
    let wrong = [
        ("another version", good().with("Sec-WebSocket-Version", "8")),
        ("no version", good().without("Sec-WebSocket-Version")),
        ("no key", good().without("Sec-WebSocket-Key")),
        ("a short key", good().with("Sec-WebSocket-Key", "c2hvcnQ=")),
        ("a key that is no base64", good().with("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==")),
        ("POST", good().line("POST /proxy/db HTTP/1.1")),
        ("POST without an upgrade", Request::plain("POST", "/proxy/db").with("Content-Length", "0")),
        ("HTTP/1.0", good().line("GET /proxy/db HTTP/1.0")),
    ];
    for (what, request) in wrong {
        let answer = request.ask(gateway.address);
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert_ne!(answer.refusal(), "", "{what}: {answer:?}");
    }
    assert_eq!(destination.dialled(), 0);
    drop(WebSocket::try_open(gateway.address, &good()).expect("the request they are made from is right"));
}

#[test]
fn header_values_are_compared_as_the_rfc_says() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let right =
        Request::upgrade("/proxy/db").with("Connection", "keep-alive, uPGRADE").with("Upgrade", "WebSocket");
    assert!(WebSocket::try_open(gateway.address, &right).is_ok(), "tokens and case");
}

#[test]
fn a_name_is_decoded_once_and_taken_whole() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("my db"), &[]);
    drop(WebSocket::open(gateway.address, "/proxy/my%20db"));
    for path in ["/proxy/my%2520db", "/proxy/my%20db/", "/proxy/my%20db/more", "/proxy/", "/proxy/nowhere"] {
        let answer = Request::upgrade(path).ask(gateway.address);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[test]
fn an_unknown_destination_is_404() {
    let gateway = Gateway::start("", &[]);
    let answer = Request::upgrade("/proxy/nowhere").ask(gateway.address);
    assert_eq!((answer.status, answer.refusal()), (404, "unknown-destination"), "{answer:?}");
    assert!(gateway.process.warned("no destinations"), "no map is worth a warning");
}

#[test]
fn a_destination_that_refuses_is_502_with_its_name_and_not_its_address() {
    let refusing = refusing();
    let gateway = Gateway::start(&format!("orders,{refusing}\n"), &[]);
    let answer = Request::upgrade("/proxy/orders").ask(gateway.address);
    assert_eq!((answer.status, answer.refusal()), (502, "destination-refused"), "{answer:?}");
    assert!(answer.body.contains("orders"), "{answer:?}");
    let port = refusing.port().to_string();
    assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains(&port), "{answer:?}");
}

#[test]
fn a_name_that_does_not_resolve_is_502_without_the_host() {
    let gateway = Gateway::start("orders,host.invalid:3306\n", &[]);
    let answer = Request::upgrade("/proxy/orders").ask(gateway.address);
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(!answer.body.contains("host.invalid"), "{answer:?}");
}

#[test]
fn a_destination_that_does_not_answer_is_504_after_the_dial_timeout() {
    let silent = Unanswering::new();
    let gateway = Gateway::start(&format!("orders,{}\n", silent.address), &["--dial-timeout", "1s"]);
    let start = Instant::now();
    let answer = Request::upgrade("/proxy/orders").ask(gateway.address);
    let took = start.elapsed();
    assert_eq!((answer.status, answer.refusal()), (504, "destination-timeout"), "{answer:?}");
    assert!(answer.body.contains("orders") && !answer.body.contains("127.0.0.1"), "{answer:?}");
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&took), "it took {took:?}");
}

#[test]
fn at_the_limit_a_new_tunnel_is_503_until_one_ends() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &["--max-connections", "1"]);
    let first = WebSocket::open(gateway.address, "/proxy/db");
    let answer = Request::upgrade("/proxy/db").ask(gateway.address);
    assert_eq!((answer.status, answer.refusal()), (503, "limit"), "{answer:?}");
    assert!(answer.header("Retry-After").is_some_and(|after| after.parse::<u32>().is_ok()), "{answer:?}");
    assert_eq!(get(gateway.address, "/live").status, 200, "pages are no tunnels");
    assert_eq!(destination.dialled(), 1, "the refused one was not dialled");
    drop(first);
    eventually("there is room again", || {
        WebSocket::try_open(gateway.address, &Request::upgrade("/proxy/db")).ok()
    });
}

#[test]
fn a_refused_connection_can_be_used_again() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let connection = e2e::programs::connect(gateway.address);
    assert_eq!(Request::upgrade("/proxy/nowhere").ask_on(&connection).status, 404);
    assert_eq!(Request::plain("GET", "/live").ask_on(&connection).status, 200);
    let upgraded = WebSocket::try_on(connection, &Request::upgrade("/proxy/db")).expect("it is still open");
    assert!(upgraded.is_ok(), "a balancer's pool does this");
}
