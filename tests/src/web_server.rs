//! A web server that answers what the test says: JWK sets, tokens, metadata.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::destination::Destination;
use crate::fake_gateway::{header_of, read_head};

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request line and the headers.
    pub head: Vec<String>,
    /// The body that Content-Length announces.
    pub body: String,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        header_of(&self.head, name)
    }
}

/// One request a connection, one answer.
#[derive(Debug)]
pub struct WebServer {
    listener: Destination,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl WebServer {
    /// Answers with the bytes that the function returns, see [`answer`].
    pub fn answering(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> WebServer {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&asked);
        let listener = Destination::serving(move |mut stream| {
            let Some(head) = read_head(&stream) else { return };
            let length = header_of(&head, "Content-Length").and_then(|length| length.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
            let request = Asked { head, body: String::from_utf8_lossy(&body).into_owned() };
            ours.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            let _ = stream.write_all(answer(&request).as_bytes());
        });
        WebServer { listener, asked }
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.address)
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        self.listener.address.to_string()
    }
}

/// An HTTP answer with a body and, if not empty, more header lines, each with its CRLF.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
