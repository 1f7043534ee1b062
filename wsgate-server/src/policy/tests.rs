use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use daemon::sockets::Sockets;
use daemon::stop::Stop;
use serde_json::{Value, json};
use token::{NewKey, PrivateKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::file::File;
use crate::identity::Caller;
use crate::rules::Bare;
use crate::{Args, Config};

const FILE: &str = "max_connections_per_user = 3\n\
    [[destination]]\nname = 'open'\nupstream = 'h:1'\n\
    [[destination]]\nname = 'few'\nupstream = 'h:1'\nmax_connections = 2\nmax_connections_per_user = 1\n\
    [[destination]]\nname = 'listed'\nupstream = 'h:1'\nallow = ['alice']\n";

fn policy() -> Policy {
    let file = File::parse(FILE, Path::new("w.toml")).unwrap();
    let mut destinations = Destinations::default();
    destinations.extend(&file.destinations, Path::new("w.toml")).unwrap();
    Policy {
        destinations,
        identity: Identity::Anonymous { protected: true },
        origins: Origins::default(),
        rules: file.rules(Bare::Sub),
        max_connections_per_user: file.max_connections_per_user,
        digest: String::new(),
    }
}

fn known(sub: &str) -> Known {
    let caller = Caller { user: sub.to_owned(), ..Caller::default() };
    Known { caller, sub: Some(sub.to_owned()).filter(|sub| !sub.is_empty()), ..Known::default() }
}

fn answer<T>(result: Result<T, Refusal>) -> u16 {
    result.map_or_else(|refusal| refusal.status().as_u16(), |_| 101)
}

#[test]
fn a_destination_is_reached_by_those_it_names() {
    let policy = policy();
    for (sub, name, expected) in [
        ("alice", "open", 101),
        ("alice", "listed", 101),
        ("bob", "open", 101),
        ("bob", "listed", 403),
        ("", "open", 101),
        ("", "listed", 403),
        ("bob", "none", 404),
    ] {
        assert_eq!(answer(policy.reach(name, &known(sub))), expected, "{sub} to {name}");
    }
    let refusal = policy.reach("listed", &known("bob")).unwrap_err();
    assert_eq!(refusal.word(), "forbidden");
}

#[test]
fn tunnels_are_bounded_by_user_and_destination() {
    let (policy, tally) = (policy(), Tally::default());
    let mut open = vec![];
    for (sub, name, expected) in [
        ("alice", "few", 101),
        ("alice", "few", 429),
        ("bob", "few", 101),
        ("carol", "few", 429),
        ("", "few", 429),
        ("alice", "open", 101),
        ("alice", "open", 101),
        ("alice", "open", 429),
        ("", "open", 101),
        ("", "open", 101),
        ("", "open", 101),
        ("", "open", 101),
    ] {
        let destination = policy.destinations.get(name).unwrap();
        let counted = policy.count(&tally, name, destination, sub).map_err(Refusal::from);
        let word = counted.as_ref().err().map(Refusal::word);
        assert!(word.is_none_or(|word| word == "limit"));
        let permit = counted.map(|permit| open.push(permit));
        assert_eq!(answer(permit), expected, "{sub} to {name}");
    }
    open.clear();
    let few = policy.destinations.get("few").unwrap();
    assert!(policy.count(&tally, "few", few, "alice").is_ok(), "permits come back");
}

/// Answers the first request with 500 and all others with `body`.
async fn publish(body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answer = "HTTP/1.1 500 Not Yet\r\nContent-Length: 0\r\n\r\n".to_owned();
        while let Ok((mut stream, _)) = listener.accept().await {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
            answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

/// Sends a request with these header lines; the head of the answer, and the connection.
async fn ask(gateway: SocketAddr, path: &str, lines: &[String]) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = format!("GET {path} HTTP/1.1\r\nHost: gw\r\n{upgrade}{}\r\n", lines.concat());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap().to_ascii_lowercase(), stream)
}

fn signed(key: &PrivateKey, kid: &str, mut claims: Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (claims["iat"], claims["exp"]) = (now.into(), (now + 60).into());
    key.sign(Some(kid), &claims).unwrap()
}

/// A gateway with a key and an Identity-Aware Proxy whose keys come late.
#[tokio::test]
async fn the_gate_asks_all_of_it_in_order() {
    let [own, iap] = [NewKey::Ed25519, NewKey::P256].map(|kind| PrivateKey::generate(kind).unwrap());
    let jwks = publish(json!({ "keys": [iap.public().to_jwk(Some("i"))] }).to_string()).await;
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.toml");
    std::fs::write(directory.path().join("key.pem"), own.public_pem()).unwrap();
    let to = upstream.local_addr().unwrap();
    let file = format!(
        "public_key = ['key.pem']\niap_audience = ['/aud']\niap_jwks = 'http://{jwks}/keys'\n\
         [[user]]\nemail = 'alice@example.com'\nsubjects = ['alice']\n\
         [[destination]]\nname = 'open'\nupstream = '{to}'\nmax_connections = 1\n\
         [[destination]]\nname = 'listed'\nupstream = '{to}'\nallow = ['bob@*']\n"
    );
    std::fs::write(&path, file).unwrap();
    let args = ["wsgate-server", "--config", path.to_str().unwrap()];
    let (config, _) = Config::from_args(Args::parse_from(args), 20_000).unwrap();
    let policy = config.policy.clone();
    let listeners = daemon::listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let gateway = listeners[0].tcp_addr().unwrap().unwrap();
    let sockets = Sockets { listeners, inherited: false };
    let running = tokio::spawn(crate::run(config, sockets, None, Stop::manual()));

    let assertion = |email: &str| {
        let claims =
            json!({ "iss": "https://cloud.google.com/iap", "aud": "/aud", "sub": "1", "email": email });
        format!("X-Goog-Iap-Jwt-Assertion: {}\r\n", signed(&iap, "i", claims))
    };
    let token = |sub: &str| format!("Authorization: Bearer {}\r\n", signed(&own, "o", json!({ "sub": sub })));
    let alice = [assertion("alice@example.com"), token("alice")];
    let (head, _) = ask(gateway, "/proxy/open", &alice).await;
    assert!(
        head.starts_with("http/1.1 503") && head.contains("wsgate-refusal: identity-not-ready"),
        "{head}"
    );
    assert!(head.contains("retry-after: 1"), "{head}");
    assert!(ask(gateway, "/ready", &[]).await.0.starts_with("http/1.1 503"));
    policy.load().identity.iap().unwrap().ready().await; // it is tried again after a second
    assert!(ask(gateway, "/ready", &[]).await.0.starts_with("http/1.1 200"));

    let forged = "X-Goog-Authenticated-User-Email: accounts.google.com:alice@example.com\r\n".to_owned();
    let mut open = vec![];
    for (path, lines, status, word) in [
        ("/proxy/open", vec![], 401, "credential"),
        ("/proxy/open", vec![forged, token("alice")], 401, "credential"),
        ("/proxy/open", alice[..1].to_vec(), 401, "credential"),
        ("/proxy/none", vec![assertion("alice@example.com"), token("bob")], 401, "credential"),
        ("/proxy/none", alice.to_vec(), 404, "unknown-destination"),
        ("/proxy/listed", alice.to_vec(), 403, "forbidden"),
        ("/proxy/listed", vec![assertion("bob@example.com"), token("bob@example.com")], 101, ""),
        ("/proxy/open", alice.to_vec(), 101, ""),
        ("/proxy/open", alice.to_vec(), 429, "limit"),
    ] {
        let (head, stream) = ask(gateway, path, &lines).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{path}: {head}");
        assert!(word.is_empty() || head.contains(&format!("wsgate-refusal: {word}\r\n")), "{path}: {head}");
        open.push(stream);
    }
    running.abort();
}
