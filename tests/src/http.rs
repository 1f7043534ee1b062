//! HTTP/1.1 by hand: requests with anything wrong in them, and answers read to the byte.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::programs::connect;

/// The key of RFC 6455's own example.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A request, header by header.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A plain request without any header but Host.
    pub fn plain(method: &str, path: &str) -> Request {
        let request = Request { line: format!("{method} {path} HTTP/1.1"), headers: Vec::new() };
        request.with("Host", "gateway.test")
    }

    /// A complete RFC 6455 upgrade, without Origin, as a program makes it.
    pub fn upgrade(path: &str) -> Request {
        Request::plain("GET", path)
            .with("Connection", "Upgrade")
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", KEY)
    }

    /// With the request line replaced.
    pub fn line(mut self, line: &str) -> Request {
        line.clone_into(&mut self.line);
        self
    }

    /// With a header set; it replaces one of the same name.
    pub fn with(self, name: &str, value: &str) -> Request {
        self.without(name).and(name, value)
    }

    /// With a header added, whether there is one of the same name or not.
    pub fn and(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    pub fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        self
    }

    /// The bytes of the head.
    pub fn head(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.line)
    }

    /// Sends it on a new connection and reads the answer.
    ///
    /// # Panics
    /// When there is no answer, or no HTTP.
    pub fn ask(&self, address: SocketAddr) -> Response {
        self.ask_on(&connect(address))
    }

    /// Sends it on an open connection and reads the answer.
    ///
    /// # Panics
    /// When there is no answer, or no HTTP.
    pub fn ask_on(&self, stream: &TcpStream) -> Response {
        let mut writer = stream;
        writer.write_all(self.head().as_bytes()).expect("the request can be sent");
        Response::read(&mut io::BufReader::with_capacity(1, stream))
            .unwrap_or_else(|error| panic!("no answer to {:?}: {error}", self.line))
    }
}

/// Requests one after the other on one connection, quickly; a new one after an answer that closes it.
#[derive(Debug)]
pub struct Conversation {
    address: SocketAddr,
    open: Option<io::BufReader<TcpStream>>,
}

impl Conversation {
    /// Connects at the first request.
    pub fn with(address: SocketAddr) -> Conversation {
        Conversation { address, open: None }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// What sending or reading says.
    pub fn try_ask(&mut self, request: &Request) -> io::Result<Response> {
        let reader = self.open.get_or_insert_with(|| io::BufReader::new(connect(self.address)));
        let answer =
            reader.get_ref().write_all(request.head().as_bytes()).and_then(|()| Response::read(reader));
        if !matches!(&answer, Ok(answer) if answer.header("Connection") != Some("close")) {
            self.open = None;
        }
        answer
    }

    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// When there is no answer, or no HTTP.
    pub fn ask(&mut self, request: &Request) -> Response {
        self.try_ask(request).unwrap_or_else(|error| panic!("no answer to {:?}: {error}", request.line))
    }
}

/// GETs a page on a new connection.
pub fn get(address: SocketAddr, path: &str) -> Response {
    Request::plain("GET", path).ask(address)
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Response {
    /// Reads a head and the body that its Content-Length announces (without one: to the end, but for 101).
    ///
    /// # Errors
    /// What reading says; [`io::ErrorKind::UnexpectedEof`] for an end without an answer.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Response> {
        let status_line = line(reader)?;
        let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = line(reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        response.read_body(reader)?;
        Ok(response)
    }

    fn read_body(&mut self, reader: &mut impl BufRead) -> io::Result<()> {
        if self.status == 101 {
            return Ok(());
        }
        let length = self.header("Content-Length").and_then(|length| length.parse().ok());
        let mut body = Vec::new();
        reader.take(length.unwrap_or(1 << 20)).read_to_end(&mut body)?;
        self.body = String::from_utf8_lossy(&body).into_owned();
        Ok(())
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The names of all headers, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// The word that says why we refuse, or nothing.
    pub fn refusal(&self) -> &str {
        self.header("Wsgate-Refusal").unwrap_or("")
    }
}

/// One line without its CRLF.
pub(crate) fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
