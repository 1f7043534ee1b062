//! The client's flags for tunnels that outlive their WebSockets, one test a row.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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

/// A client with these flags, its application, and the WebSocket of a gateway that has agreed to all.
fn granted(flags: &[&str]) -> (Client, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/proxy/db", listener.local_addr().unwrap());
    let client = Client::start(&url, flags);
    let application = client.connect();
    let (mut stream, _) = listener.accept().unwrap();
    let head = head_of(&stream);
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         Wsgate-Tunnel: 2; window=1048576; session=AAECAwQFBgcICQoLDA0ODw; instance=00c0ffee; grace=120\r\n\r\n"
    )
    .unwrap();
    (client, application, stream)
}

#[test]
fn buffer_limit_is_what_is_held_to_be_sent_again() {
    // The last third of a window need not be used up.
    for (flags, bytes) in [(&[][..], 700_000..1 << 21), (&["--buffer-limit", "64KiB"], 1 << 16..1 << 17)] {
        let (_client, application, mut stream) = granted(flags);
        application.set_nonblocking(true).unwrap();
        // ACK: nothing delivered, a MiB may be sent; none after it.
        stream.write_all(b"\x82\x0d\x02\0\0\0\0\0\0\0\0\x00\x10\x00\x00").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (mut came, mut quiet, mut into) = (0, 0, vec![0; 1 << 16]);
        while quiet < 20 {
            let _ = (&application).write(&[7; 1 << 16]);
            match stream.read(&mut into) {
                Ok(count) => (came, quiet) = (came + count, 0),
                Err(_) => quiet += 1,
            }
        }
        assert!(bytes.contains(&came), "{came} with {flags:?}");
    }
}

#[test]
fn resume_grace_is_how_long_the_client_tries_at_most() {
    let (_client, application, stream) = granted(&["--resume-grace", "2s"]);
    let cut = Instant::now();
    drop(stream);
    application.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(End::of_stream(&application), End::Reset);
    assert!((2..10).contains(&cut.elapsed().as_secs()), "{:?}", cut.elapsed());
}
