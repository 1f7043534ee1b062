//! Fetching: what arrives, and what is said when nothing does.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use https::fetch::{Client, FetchError, Limits, Request};
use https::{ServerFiles, ServerTls, Url};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::authority::{Authority, EXPIRED, Files, GOOD};
use crate::stand::{Reply, Stand, chain, client, ok, reply};

/// A server with a good certificate, and a client that trusts it.
async fn pair(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Stand, Client) {
    let (files, ca) = (Files::new(), Authority::new("test CA"));
    let stand = Stand::start(Some(Arc::new(files.server(&ca, None))), answer).await;
    (stand, client(files.client(&ca, None)))
}

#[tokio::test]
async fn an_answer_arrives() {
    let (stand, client) =
        pair(|_| reply("200 OK", "Cache-Control: public, max-age=300\r\n", "hello\n")).await;
    for (host, sni) in [("localhost", "localhost"), ("127.0.0.1", "-")] {
        let answer = client.send(&Request::get(stand.url(host, "/keys?a=b"))).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.max_age), (200, Some(Duration::from_secs(300))));
        assert_eq!(answer.body, "hello\n");
        let seen = stand.seen.lock().unwrap().pop().unwrap();
        assert!(seen.starts_with(&format!("{sni} GET /keys?a=b HTTP/1.1\r\n")), "{seen}");
        assert!(seen.contains(&format!("\r\nhost: {host}:{}\r\n", stand.port)), "{seen}");
    }
}

#[tokio::test]
async fn a_form_and_its_headers_are_sent() {
    let (stand, client) = pair(|_| reply("201 Created", "", "")).await;
    let request = Request::form(stand.url("localhost", "/token"), &[("a", "b c"), ("d", "&")])
        .header(HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    assert_eq!(client.send(&request).await.unwrap().status.as_u16(), 201);
    let json = Request::json(stand.url("localhost", "/x"), &serde_json::json!({"a": 1}));
    client.send(&json).await.unwrap();
    let seen = stand.seen();
    assert!(
        seen[0].contains("POST /token HTTP/1.1\r\n") && seen[0].contains("\r\nmetadata-flavor: Google\r\n")
    );
    assert!(seen[0].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(seen[0].ends_with("\r\n\r\na=b%20c&d=%26"), "{}", seen[0]);
    assert!(seen[1].ends_with("\r\n\r\n{\"a\":1}"), "{}", seen[1]);
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let (_, client) = pair(|_| ok("")).await;
    let stand = Stand::start(None, |_| ok("plain")).await;
    for host in ["127.0.0.1", "localhost"] {
        let url: Url = format!("http://{host}:{}/", stand.port).parse().unwrap();
        assert_eq!(client.send(&Request::get(url)).await.unwrap().body, "plain");
    }
    for host in ["192.0.2.1", "gw.test", "169.254.169.254", "metadata.google.internal"] {
        let url: Url = format!("http://{host}/").parse().unwrap();
        let error = client.send(&Request::get(url)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{host} is not on this machine; use https://"));
    }
}

#[tokio::test]
async fn other_answers_are_told_apart() {
    let long = "é".repeat(40_000);
    let rows = [
        (
            reply("404 Not Found", "", "no\x1b[31m\r\nkey"),
            "the answer is 404 Not Found: no[31m key".to_owned(),
        ),
        (reply("503 X", "", ""), "the answer is 503 Service Unavailable: ".to_owned()),
        (
            reply("302 Found", "Location: https://login.test/a?token=x\r\n", ""),
            "the answer is a redirect to https://login.test/a (302 Found); configure".to_owned(),
        ),
        (reply("304 Not Modified", "", ""), "the answer is a redirect to another URL (304".to_owned()),
        (reply("200 OK", "", &long), "the answer is longer than 65536 bytes".to_owned()),
        (
            Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".into()),
            "the answer is longer than 65536 bytes".to_owned(),
        ),
        (
            Reply::Endless("HTTP/1.1 500 X\r\n\r\n".into()),
            format!("the answer is 500 Internal Server Error: {}", "x".repeat(1024)),
        ),
        (Reply::Endless("HTTP/1.1 200 OK\r\nX: ".into()), "the answer is no HTTP/1.1, or".to_owned()),
        (Reply::Close("SSH-2.0-OpenSSH\r\n".into()), "the answer is no HTTP/1.1, or".to_owned()),
        (Reply::Close(String::new()), "the answer is no HTTP/1.1, or".to_owned()),
        (
            Reply::Close("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".into()),
            "the answer is no HTTP/1.1, or breaks off".to_owned(),
        ),
    ];
    for (answer, expected) in rows {
        let answer = std::sync::Mutex::new(Some(answer));
        let (stand, client) = pair(move |_| answer.lock().unwrap().take().unwrap()).await;
        let error = client.send(&Request::get(stand.url("localhost", "/?hidden"))).await.unwrap_err();
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!format!("{error:?}").contains("hidden"));
    }
}

/// The deadline is for the whole: an answer that begins in time does not reset it.
#[tokio::test]
async fn a_slow_answer_is_given_up() {
    for begin in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow"] {
        let (stand, mut client) = pair(|_| Reply::Hang(begin.into())).await;
        client.limits = Limits { timeout: Duration::from_millis(300), ..client.limits };
        let error = client.send(&Request::get(stand.url("localhost", "/"))).await.unwrap_err();
        assert!(matches!(error, FetchError::TimedOut(_)), "{error}");
        assert_eq!(error.to_string(), "no answer within 300ms");
    }
}

#[tokio::test]
async fn a_server_that_is_not_the_right_one_is_refused() {
    let (ca, other) = (Authority::new("test CA"), Authority::new("other CA"));
    let rows = [
        (other.issue("gw.test", GOOD), "UnknownIssuer"),
        (ca.issue("gw.test", EXPIRED), "certificate expired"),
    ];
    for (issued, expected) in rows {
        let files = Files::new();
        let identity = files.identity("server", issued);
        let tls = ServerTls::load(ServerFiles { identity, client_ca: None }).unwrap();
        let stand = Stand::start(Some(Arc::new(tls)), |_| ok("secret")).await;
        let client = client(files.client(&ca, None));
        let error = chain(client.send(&Request::get(stand.url("localhost", "/"))).await.unwrap_err());
        let expected = format!("no TLS with localhost: invalid peer certificate: {expected}");
        assert!(error.starts_with(&expected), "{error}");
        assert!(stand.seen().is_empty());
    }
    let (files, (ours, theirs)) = (Files::new(), tokio::io::duplex(64 * 1024));
    let (server, client) = (files.server(&ca, None), files.client(&ca, None));
    let other_name = ServerName::try_from("other.test").unwrap();
    let (connected, _) = tokio::join!(client.connect(other_name, ours), server.accept(theirs));
    let error = connected.unwrap_err().to_string();
    assert!(error.starts_with("invalid peer certificate: certificate not valid for name"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let (stand, client) = pair(|_| ok("")).await;
    let url = stand.url("127.0.0.1", "/");
    drop(stand);
    let error = chain(client.send(&Request::get(url.clone())).await.unwrap_err());
    let address = format!("127.0.0.1:{}", url.port);
    assert!(error.starts_with(&format!("no connection to 127.0.0.1 at {address}: ")), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let request = Request::get(url);
    let (error, ()) = tokio::join!(client.send(&request), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = chain(error.unwrap_err());
    assert!(error.starts_with("no TLS with 127.0.0.1: "), "{error}");
}
