//! Through a forward proxy that really connects.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use https::fetch::{Client, FetchError, Request};
use https::proxy::{ConnectError, ProxyRule};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::authority::{Authority, Files};
use crate::stand::{Stand, client, ok};

/// What the proxy does with `CONNECT`.
#[derive(Clone, Copy)]
enum Policy {
    /// Connects whoever shows these credentials, or anybody, to the stand-in
    Connect(Option<&'static str>),
    Refuse,
    Hang,
}

struct Forward {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _accepting: AbortOnDropHandle<()>,
}

async fn forward(policy: Policy, to: u16) -> Forward {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let accepting = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(carry(stream, policy, to, seen.clone()));
        }
    });
    Forward { port, heads, _accepting: AbortOnDropHandle::new(accepting) }
}

async fn carry(mut stream: TcpStream, policy: Policy, to: u16, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    let answer = match policy {
        Policy::Connect(wanted) if wanted.is_none_or(|wanted| head.contains(wanted)) => {
            let mut target = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut target).await;
            return;
        }
        Policy::Connect(_) => "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        Policy::Refuse => "HTTP/1.1 403 Forbidden by policy\r\nContent-Length: 0\r\n\r\n",
        Policy::Hang => std::future::pending().await,
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// A client of the proxy, and what it fetches: a name that only the proxy can know.
async fn through(policy: Policy, user: &str) -> (Client, Forward, Stand) {
    let (files, ca) = (Files::new(), Authority::new("test CA"));
    let stand = Stand::start(Some(Arc::new(files.server(&ca, None))), |_| ok("far")).await;
    let forward = forward(policy, stand.port).await;
    let flag = format!("http://{user}127.0.0.1:{}", forward.port);
    let proxies = ProxyRule::new(Some(&flag), |_| None).unwrap();
    (Client { proxies, ..client(files.client(&ca, None)) }, forward, stand)
}

fn request() -> Request {
    Request::get("https://gw.test/x".parse().unwrap())
}

#[tokio::test]
async fn a_proxy_connects() {
    for (wanted, user) in [(None, ""), (Some("Basic dTpw"), "u:p@")] {
        let (client, forward, stand) = through(Policy::Connect(wanted), user).await;
        assert_eq!(client.send(&request()).await.unwrap().body, "far");
        let head = forward.heads.lock().unwrap()[0].clone();
        assert!(head.starts_with("CONNECT gw.test:443 HTTP/1.1\r\nHost: gw.test:443\r\n"), "{head}");
        assert_eq!(head.contains("\r\nProxy-Authorization: Basic dTpw\r\n"), wanted.is_some());
        let seen = &stand.seen()[0];
        assert!(seen.starts_with("gw.test GET /x HTTP/1.1\r\n"), "{seen}");
        assert!(!seen.to_lowercase().contains("proxy-"), "{seen}");
    }
}

#[tokio::test]
async fn this_machine_is_reached_directly() {
    let (client, forward, stand) = through(Policy::Refuse, "").await;
    let answer = client.send(&Request::get(stand.url("localhost", "/"))).await.unwrap();
    assert_eq!(answer.body, "far");
    assert!(forward.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_named() {
    let rows = [
        (Policy::Connect(Some("Basic dTpw")), "", "wants a user name and password"),
        (Policy::Connect(Some("Basic dTpw")), "u:wrong@", "wants a user name and password, or others"),
        (Policy::Refuse, "u:hunter2@", "does not connect to gw.test:443: 403 Forbidden by policy"),
    ];
    for (policy, user, expected) in rows {
        let (client, forward, stand) = through(policy, user).await;
        let error = client.send(&request()).await.unwrap_err();
        let FetchError::Proxy(error) = error else { panic!("{error}") };
        let expected = format!("the proxy 127.0.0.1:{} {expected}", forward.port);
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(matches!(error, ConnectError::Refused { status: 403, .. }), user == "u:hunter2@");
        assert!(!format!("{error:?}{client:?}").contains("hunter2"));
        assert!(stand.seen().is_empty());
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_silent() {
    let (mut client, forward, _stand) = through(Policy::Hang, "").await;
    client.limits.timeout = Duration::from_millis(300);
    let error = client.send(&request()).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut(_)), "{error}");
    let port = forward.port;
    drop(forward);
    client.limits.timeout = Duration::from_secs(20);
    let error = client.send(&request()).await.unwrap_err();
    let expected = format!("no connection to 127.0.0.1 at 127.0.0.1:{port}");
    assert_eq!(error.to_string(), expected);
}
