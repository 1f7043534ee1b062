//! The client's flags for tunnels that outlive their WebSockets, one test a row.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use e2e::programs::Client;
use e2e::websocket::End;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The `Wsgate-Tunnel` of the first upgrade that a client with these flags sends.
fn offered(flags: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/proxy/db", listener.local_addr().unwrap());
    let client = Client::start(&url, flags);
    let _application = client.connect();
    let head = head_of(&listener.accept().unwrap().0);
    let line = head.lines().find_map(|line| line.strip_prefix("wsgate-tunnel: "));
    line.unwrap_or_else(|| panic!("{head}")).to_owned()
}

fn head_of(mut stream: impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn no_resume_is_offered_as_such() {
    assert_eq!(offered(&["--no-resume"]), "2; window=1048576; resume=no");
    assert_eq!(offered(&[]), "2; window=1048576; resume=yes");
}

#[test]
fn window_is_what_the_client_offers() {
    assert_eq!(offered(&["--window", "64KiB"]), "2; window=65536; resume=yes");
}

#[test]
fn resume_grace_is_how_long_the_client_tries_at_most() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/proxy/db", listener.local_addr().unwrap());
    let client = Client::start(&url, &["--resume-grace", "2s"]);
    let application = client.connect();
    let (mut stream, _) = listener.accept().unwrap();
    drop(listener);
    let head = head_of(&stream);
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         Wsgate-Tunnel: 2; window=65536; session=AAECAwQFBgcICQoLDA0ODw; instance=00c0ffee; grace=120\r\n\r\n"
    )
    .unwrap();
    let cut = Instant::now();
    drop(stream);
    application.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(End::of_stream(&application), End::Reset);
    assert!((2..10).contains(&cut.elapsed().as_secs()), "{:?}", cut.elapsed());
}
