//! The list of what is open, and that its length costs a collection nothing.

use e2e::destination::Destination;
use e2e::frame::Frame;
use e2e::http::Request;
use e2e::issuer::Issuer;
use e2e::websocket::WebSocket;
use serde_json::Value;

use super::{Watched, shows, to};

fn document(status: &e2e::status::StatusSocket) -> Value {
    serde_json::from_str(&status.get("/status?sessions=1").1).unwrap()
}

#[test]
fn a_session_is_listed_with_what_an_operator_needs_and_no_secret() {
    let (destination, issuer) = (Destination::echo(), Issuer::es256("a"));
    let server = Watched::gateway(&to(destination.address), &["--public-key", &issuer.public()]);
    let bearer = issuer.bearer("alice");
    let request = Request::upgrade("/proxy/db").with("Authorization", &bearer);
    let mut open = WebSocket::try_open(server.gateway.address, &request).unwrap();
    open.send(&Frame::binary("seven b"));
    open.receive_payload(7);
    shows(&server.status, "wsgate_server_sessions", 1.0);
    let text = server.status.get("/status?sessions=1").1;
    let status: Value = serde_json::from_str(&text).unwrap();
    let session = &status["session_list"][0];
    assert_eq!(session["user"], "alice", "{session}");
    assert_eq!(session["destination"], "db", "{session}");
    assert_eq!(session["upstream"], destination.address.to_string(), "{session}");
    assert_eq!(session["peer"], open.stream().local_addr().unwrap().to_string(), "{session}");
    assert_eq!((&session["up_bytes"], &session["down_bytes"]), (&7.into(), &7.into()), "{session}");
    assert_eq!(session["session"].as_str().unwrap().len(), 8, "{session}");
    assert!(session["seconds"].as_u64().unwrap() < 60, "{session}");
    assert_eq!(status["destinations"][0]["sessions"], 1, "{status}");
    let token = bearer.strip_prefix("Bearer ").unwrap();
    assert!(token.split('.').all(|part| !text.contains(part)), "a token is a secret");
    assert!(server.status.document()["session_list"].is_null(), "only if it is asked for");
    drop(open);
    shows(&server.status, "wsgate_server_sessions", 0.0);
    assert_eq!(document(&server.status)["session_list"], Value::Array(Vec::new()));
}

#[test]
fn the_client_lists_where_its_connections_go_without_the_query() {
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let dir = e2e::scratch::Scratch::new();
    let status = e2e::status::StatusSocket::at(format!("unix:{}", dir.file("client.sock")));
    let url = format!("{}?key=sesame", server.gateway.url("db"));
    let client = e2e::programs::Client::start(&url, &["--status-listen", &status.address]);
    let open = client.connect();
    shows(&server.status, "wsgate_server_sessions", 1.0);
    let listed = e2e::eventually::eventually("it is listed", || {
        let session = document(&status)["session_list"][0].clone();
        (!session.is_null()).then_some(session)
    });
    assert_eq!(listed["url"], server.gateway.url("db"));
    assert_eq!(listed["listen"], client.address.to_string());
    assert_eq!(listed["peer"], open.local_addr().unwrap().to_string());
    assert!(!status.get("/status?sessions=1").1.contains("sesame"));
    assert!(!status.get("/metrics").1.contains("sesame"));
}

#[test]
fn what_is_told_does_not_grow_with_the_tunnels() {
    const OPEN: usize = 1200;
    let destination = Destination::echo();
    let server = Watched::gateway(&to(destination.address), &[]);
    let before = server.status.metrics().len();
    let open: Vec<_> = (0..OPEN).map(|_| WebSocket::open(server.gateway.address, "/proxy/db")).collect();
    shows(&server.status, "wsgate_server_sessions", 1200.0);
    assert_eq!(server.status.metrics().len(), before);
    let took = server.status.metric("wsgate_server_collection_seconds");
    assert!(took < 0.1, "a collection takes {took} s");
    let status = document(&server.status);
    assert_eq!(status["session_list"].as_array().unwrap().len(), 1000, "the oldest");
    assert_eq!(status["session_list"][0]["peer"], open[0].stream().local_addr().unwrap().to_string());
    assert_eq!(status["sessions"], OPEN);
}
