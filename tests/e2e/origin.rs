//! A web page must not reach a private database through a developer's browser.

use e2e::destination::Destination;
use e2e::http::{Request, Response};
use e2e::programs::Gateway;
use e2e::websocket::WebSocket;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
const FOREIGN: &str = "https://evil.test";

/// An upgrade to `gateway.test` with this Origin.
fn from(origin: &str) -> Request {
    Request::upgrade("/proxy/db").with("Host", "gateway.test").with("Origin", origin)
}

fn ask(gateway: &Gateway, request: &Request) -> Result<WebSocket, Response> {
    WebSocket::try_open(gateway.address, request)
}

#[test]
fn what_a_page_can_send_is_refused_and_nothing_is_dialled() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let same = "http://gateway.test";
    for (what, request) in [
        ("a browser elsewhere", from(FOREIGN).with("User-Agent", BROWSER)),
        ("no browser, but elsewhere", from(FOREIGN)),
        ("a page without an origin", from("null").with("User-Agent", BROWSER)),
        ("DNS rebinding: the page's host is ours", from(same).with("User-Agent", BROWSER)),
        ("a browser that hides its name", from(same).with("Sec-Fetch-Mode", "websocket")),
        ("a scheme that a page can cause", from(FOREIGN).with("Authorization", "Basic dTpw")),
        ("a host that only begins like ours", from("http://gateway.test.evil.test")),
        ("another port of our host", from("http://gateway.test:8080").with("User-Agent", BROWSER)),
    ] {
        let answer = ask(&gateway, &request).err().unwrap_or_else(|| panic!("{what} was let in"));
        assert_eq!((answer.status, answer.refusal()), (403, "origin"), "{what}: {answer:?}");
        assert!(answer.body.contains("--allowed-origin"), "{what}: {answer:?}");
    }
    assert_eq!(destination.dialled(), 0);
}

#[test]
fn what_no_page_can_send_passes() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    for (what, request) in [
        ("no origin", Request::upgrade("/proxy/db")),
        ("a program at our host", from("http://gateway.test")),
        (
            "a program at the balancer's host",
            from("https://public.test").with("X-Forwarded-Host", "public.test"),
        ),
        ("our client", from(FOREIGN).with("Wsgate-Tunnel", "2; window=65536; resume=no")),
        ("a bearer", from(FOREIGN).with("Authorization", "Bearer x")),
        ("a bearer for a proxy", from(FOREIGN).with("Proxy-Authorization", "Bearer x")),
        ("the original client", from(FOREIGN).with("User-Agent", "Go-http-client/1.1")),
    ] {
        let answer = ask(&gateway, &request).map(drop);
        assert!(answer.is_ok(), "{what}: {answer:?}");
    }
}

#[test]
fn a_listed_origin_passes_in_a_browser_and_no_other_does() {
    let destination = Destination::echo();
    let flags = ["--allowed-origin", "https://admin.test", "--allowed-origin", "https://second.test:8443"];
    let gateway = Gateway::start(&destination.map("db"), &flags);
    for origin in ["https://admin.test", "https://second.test:8443"] {
        assert!(ask(&gateway, &from(origin).with("User-Agent", BROWSER)).is_ok(), "{origin}");
    }
    for origin in ["http://admin.test", "https://second.test", "https://admin.test.evil.test"] {
        let answer = ask(&gateway, &from(origin).with("User-Agent", BROWSER)).err();
        assert_eq!(answer.map(|answer| answer.status), Some(403), "{origin}");
    }
}
