//! Another implementation of WebSocket at the other end: tungstenite.

use std::io::{Read, Write};
use std::net::TcpStream;

use e2e::destination::Destination;
use e2e::pattern::{ODD_SIZES, Pattern};
use e2e::programs::{Client, Gateway, connect, half_close, patient};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept, client};

/// Binary messages until there are `count` bytes.
fn read(websocket: &mut WebSocket<TcpStream>, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < count {
        if let Message::Binary(bytes) = websocket.read().unwrap() {
            got.extend_from_slice(&bytes);
        }
    }
    got
}

/// The code of the Close that comes next.
fn close_code(websocket: &mut WebSocket<TcpStream>) -> Option<CloseCode> {
    loop {
        if let Message::Close(frame) = websocket.read().unwrap() {
            return frame.map(|frame| frame.code);
        }
    }
}

#[test]
fn tungstenite_as_a_client_understands_our_server() {
    let destination = Destination::echo();
    let gateway = Gateway::start(&destination.map("db"), &[]);
    let url = gateway.url("db").replace("http://", "ws://");
    let (mut websocket, _) = client(url, connect(gateway.address)).unwrap();
    for (seed, size) in ODD_SIZES.into_iter().enumerate() {
        let sent = Pattern::new(seed as u64).take(size);
        websocket.send(Message::binary(sent.clone())).unwrap();
        assert!(read(&mut websocket, size) == sent, "{size} bytes come back");
    }
    websocket.close(None).unwrap();
    while websocket.read().is_ok() {} // ends in ConnectionClosed, if the closing handshake is done
    assert!(!websocket.can_read());
}

#[test]
fn tungstenite_as_a_server_understands_our_client() {
    let (gateway, accepted) = Destination::played();
    let client = Client::start(&format!("ws://{}/proxy/db", gateway.address), &[]);
    let mut application = client.connect();
    let stream = accepted.next();
    patient(&stream);
    let mut websocket = accept(stream).unwrap();
    for (seed, size) in ODD_SIZES.into_iter().enumerate() {
        let sent = Pattern::new(seed as u64).take(size);
        application.write_all(&sent).unwrap();
        assert!(read(&mut websocket, size) == sent, "{size} bytes arrive");
        websocket.send(Message::binary(sent.clone())).unwrap();
        let mut got = vec![0; size];
        application.read_exact(&mut got).unwrap();
        assert!(got == sent, "{size} bytes come back");
    }
    half_close(&application);
    assert_eq!(close_code(&mut websocket), Some(CloseCode::Normal));
}
