//! Who gets no tunnel, by reason, at both ends.

use e2e::destination::{Destination, refusing};
use e2e::eventually::eventually;
use e2e::http::Request;
use e2e::issuer::Issuer;
use e2e::programs::{Client, connect};
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;
use e2e::websocket::End;

use super::{Watched, shows};

#[test]
fn the_gateway_counts_refusals_by_their_words() {
    let (destination, issuer) = (Destination::echo(), Issuer::es256("a"));
    let map = format!("db,{}\ndead,{}\n", destination.address, refusing());
    let server = Watched::gateway(&map, &["--public-key", &issuer.public(), "--max-connections", "1"]);
    let alice = |path: &str| Request::upgrade(path).with("Authorization", &issuer.bearer("alice"));
    let (_open, ask) = (
        e2e::websocket::WebSocket::try_open(server.gateway.address, &alice("/proxy/db")).unwrap(),
        |request: Request| request.ask(server.gateway.address).refusal().to_owned(),
    );
    let before = Request::upgrade("/proxy/db").with("Origin", "https://evil.test");
    for (reason, times, request) in [
        ("credential", 3, Request::upgrade("/proxy/db").with("Authorization", "Bearer a.b.c")),
        ("origin", 2, before),
        ("unknown-destination", 1, alice("/proxy/nowhere")),
        ("limit", 4, alice("/proxy/db")),
        ("upgrade-required", 1, Request::plain("GET", "/proxy/db")),
    ] {
        for _ in 0..times {
            assert_eq!(ask(request.clone()), reason);
        }
        let series = format!("wsgate_server_sessions_refused_total{{reason=\"{reason}\"}}");
        shows(&server.status, &series, f64::from(times));
    }
    shows(&server.status, "wsgate_server_sessions_refused_total{reason=\"other\"}", 0.0);
    shows(&server.status, "wsgate_server_sessions_opened_total", 1.0);
}

#[test]
fn a_destination_that_is_dead_is_counted_at_both_ends() {
    let server = Watched::gateway(&super::to(refusing()), &[]);
    let (client, status) = server.client(&[]);
    assert_eq!(End::of_stream(&client.connect()), End::Reset);
    let word = "_sessions_refused_total{reason=\"destination-refused\"}";
    shows(&server.status, &format!("wsgate_server{word}"), 1.0);
    shows(&status, &format!("wsgate_client{word}"), 1.0);
    shows(&status, "wsgate_client_attempts_total", 1.0);
    shows(&status, "wsgate_client_sessions_opened_total", 0.0);
}

#[test]
fn the_client_counts_what_it_finds_on_the_way() {
    let dir = Scratch::new();
    let status = StatusSocket::at(format!("unix:{}", dir.file("client.sock")));
    let url = format!("http://{}/proxy/db", refusing());
    let client = Client::start(&url, &["--connect-timeout", "1s", "--status-listen", &status.address]);
    eventually("the status is answered", || status.try_get("/live"));
    assert_eq!(End::of_stream(&connect(client.address)), End::Reset);
    shows(&status, "wsgate_client_sessions_refused_total{reason=\"connect\"}", 1.0);
    assert!(status.metric("wsgate_client_attempts_total") > 1.0, "it has tried again");
    shows(&status, "wsgate_client_waiting", 0.0);
}
