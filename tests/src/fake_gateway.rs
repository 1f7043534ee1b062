//! A gateway that does what the test tells it: answers, or frames that none of ours would send.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::destination::Destination;
use crate::http::line;

/// The requests that a fake gateway has seen, each with its headers as they came.
pub type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// A listener that reads an upgrade and leaves the rest to the test.
#[derive(Debug)]
pub struct FakeGateway {
    listener: Destination,
    seen: Seen,
}

impl FakeGateway {
    /// Answers the n-th upgrade (from 0) with these bytes and closes.
    pub fn answering(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> FakeGateway {
        FakeGateway::serving(move |number, head, mut stream| {
            let answer = answer(number);
            let answer = answer.replace("{accept}", &accept_key(&head));
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    /// Accepts every upgrade and gives the connection to the test's function.
    pub fn upgrading(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> FakeGateway {
        FakeGateway::serving(move |_, head, mut stream| {
            if stream.write_all(switching(&head).as_bytes()).is_ok() {
                serve(stream);
            }
        })
    }

    fn serving(serve: impl Fn(usize, Vec<String>, TcpStream) + Send + Sync + 'static) -> FakeGateway {
        let seen = Seen::default();
        let ours = Arc::clone(&seen);
        let listener = Destination::serving(move |stream| {
            let Some(head) = read_head(&stream) else { return };
            let number = {
                let mut seen = ours.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push(head.clone());
                seen.len() - 1
            };
            serve(number, head, stream);
        });
        FakeGateway { listener, seen }
    }

    /// The URL that leads to it.
    pub fn url(&self) -> String {
        format!("http://{}/proxy/db", self.listener.address)
    }

    /// The heads it has read, line by line.
    pub fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads a request head byte by byte, so that nothing behind it is lost.
pub fn read_head(stream: &TcpStream) -> Option<Vec<String>> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = Vec::new();
    loop {
        let line = line(&mut reader).ok()?;
        if line.is_empty() {
            return Some(head);
        }
        head.push(line);
    }
}

/// A header of a head that was read.
pub fn header_of<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().skip(1).find_map(|line| {
        let (have, value) = line.split_once(':')?;
        have.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The 101 that belongs to a request head.
pub fn switching(head: &[String]) -> String {
    let accept = accept_key(head);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn accept_key(head: &[String]) -> String {
    derive_accept_key(header_of(head, "Sec-WebSocket-Key").unwrap_or("").as_bytes())
}
