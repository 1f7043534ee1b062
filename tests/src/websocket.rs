//! A hand-made client that speaks frames: it can say what no library would.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::frame::{BINARY, CLOSE, CONTINUATION, Frame};
use crate::http::{Request, Response};
use crate::programs::connect;

/// An upgraded connection to a gateway.
#[derive(Debug)]
pub struct WebSocket {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl WebSocket {
    /// Upgrades without any credential.
    ///
    /// # Panics
    /// When the gateway refuses.
    pub fn open(address: SocketAddr, path: &str) -> WebSocket {
        WebSocket::try_open(address, &Request::upgrade(path))
            .unwrap_or_else(|refusal| panic!("the upgrade to {path} was refused: {refusal:?}"))
    }

    /// Upgrades with this request.
    ///
    /// # Errors
    /// With the answer, when that is not 101.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn try_open(address: SocketAddr, request: &Request) -> Result<WebSocket, Response> {
        WebSocket::try_on(connect(address), request).expect("the gateway answers an upgrade")
    }

    /// Upgrades on an open connection.
    ///
    /// # Errors
    /// What reading and writing say; within, the answer when that is not 101.
    pub fn try_on(mut stream: TcpStream, request: &Request) -> io::Result<Result<WebSocket, Response>> {
        stream.write_all(request.head().as_bytes())?;
        let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        let answer = Response::read(&mut reader)?;
        Ok(if answer.status == 101 { Ok(WebSocket { stream, reader }) } else { Err(answer) })
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send(&mut self, frame: &Frame) {
        self.send_raw(&frame.encode()).expect("the frame can be sent");
    }

    /// Sends bytes that may not be frames.
    ///
    /// # Errors
    /// What writing says.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame; `None` at an end without Close.
    ///
    /// # Errors
    /// What reading says.
    pub fn receive(&mut self) -> io::Result<Option<Frame>> {
        Frame::read(&mut self.reader)
    }

    /// Reads payload until there are `count` bytes.
    ///
    /// # Panics
    /// When something else comes first.
    pub fn receive_payload(&mut self, count: usize) -> Vec<u8> {
        let mut payload = Vec::new();
        while payload.len() < count {
            let frame = self.receive().expect("payload arrives").expect("payload arrives before the end");
            assert!(matches!(frame.opcode(), BINARY | CONTINUATION), "payload, not {frame:?}");
            payload.extend(frame.payload);
        }
        payload
    }

    /// Reads until the end and returns how it ended, skipping payload and pongs.
    pub fn end(&mut self) -> End {
        loop {
            match self.receive() {
                Ok(Some(frame)) if frame.opcode() == CLOSE => return End::Close(frame.close_code()),
                Ok(Some(_)) => {}
                Ok(None) => return End::Eof,
                Err(error) => return End::of(&error),
            }
        }
    }

    /// The connection below, for what frames cannot express.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Gives the connection away; bytes read ahead are lost.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// How a connection ended for the one who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A Close frame with this code.
    Close(Option<u16>),
    /// FIN.
    Eof,
    /// RST.
    Reset,
    /// Nothing within the time-out: it did not end.
    Silence,
}

impl End {
    /// What an error of reading means.
    ///
    /// # Panics
    /// With an error that no peer can cause.
    pub fn of(error: &io::Error) -> End {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => End::Reset,
            io::ErrorKind::UnexpectedEof => End::Eof,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => End::Silence,
            _ => panic!("reading failed: {error}"),
        }
    }

    /// Reads a plain connection to its end, throwing the bytes away.
    pub fn of_stream(mut stream: &TcpStream) -> End {
        match io::copy(&mut stream, &mut io::sink()) {
            Ok(_) => End::Eof,
            Err(error) => End::of(&error),
        }
    }
}
