//! Peers that behave as the original programs do, written from tunnel.md's facts about dialect 1 alone.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::destination::Destination;
use crate::fake_gateway::{read_head, switching};
use crate::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use crate::http::{Request, Response};
use crate::programs::{connect, patient};

/// A message of the original is at most this long.
pub const LONGEST_MESSAGE: usize = 256 * 1024;

/// How the client puts its bytes into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The original client: messages up to 256 KiB in masked fragments of 4,096 bytes.
    Fragments,
    /// Other clients in use (Go's x/net/websocket): one frame a write.
    FrameAWrite,
}

/// An original client: it ends by closing TCP, without a Close frame.
#[derive(Debug)]
pub struct OriginalClient {
    stream: TcpStream,
    framing: Framing,
}

impl OriginalClient {
    /// Upgrades as the original does: its User-Agent, the Origin of its own host.
    ///
    /// # Panics
    /// When it is refused.
    pub fn open(address: SocketAddr, path: &str, framing: Framing) -> OriginalClient {
        let stream = connect(address);
        let mut request = Request::upgrade(path)
            .with("Host", &address.to_string())
            .with("Origin", &format!("http://{address}"));
        if framing == Framing::Fragments {
            request = request.with("User-Agent", "Go-http-client/1.1");
        }
        (&stream).write_all(request.head().as_bytes()).expect("the gateway takes an upgrade");
        let answer = Response::read(&mut BufReader::with_capacity(1, &stream)).expect("the gateway answers");
        assert_eq!(answer.status, 101, "an original client is accepted: {answer:?}");
        assert_eq!(answer.header("Wsgate-Tunnel"), None, "an original was not asked for dialect 2");
        OriginalClient { stream, framing }
    }

    /// The half that sends: each write is a message.
    pub fn sender(&self) -> impl Write + Send + use<> {
        let stream = self.stream.try_clone().expect("a descriptor is left");
        Sender { stream, framing: self.framing, masked: true }
    }

    /// The half that reads; EOF at a Close or at the end of TCP.
    pub fn receiver(&self) -> impl Read + Send + use<> {
        Receiver::new(self.stream.try_clone().expect("a descriptor is left"), true)
    }

    /// Ends as the original does.
    pub fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// How a tunnel ended for an original server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Close 1000: the only end that it does not log as a failure.
    Normal,
    /// Anything else, as it would be logged.
    Failure(String),
    /// Its own destination ended first.
    Own,
}

/// An original server with one destination behind it.
#[derive(Debug)]
pub struct OriginalServer {
    listener: Destination,
    endings: Arc<Mutex<Vec<Ending>>>,
}

impl OriginalServer {
    /// Carries every upgrade to `destination`.
    pub fn start(destination: SocketAddr) -> OriginalServer {
        let endings = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&endings);
        let listener = Destination::serving(move |stream| {
            if let Some(ending) = serve(stream, destination) {
                ours.lock().unwrap_or_else(PoisonError::into_inner).push(ending);
            }
        });
        OriginalServer { listener, endings }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// The URL that leads to its destination.
    pub fn url(&self) -> String {
        format!("http://{}/proxy/db", self.listener.address)
    }

    /// How its tunnels ended so far.
    pub fn endings(&self) -> Vec<Ending> {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut websocket: TcpStream, destination: SocketAddr) -> Option<Ending> {
    let head = read_head(&websocket)?;
    websocket.write_all(switching(&head).as_bytes()).ok()?;
    let upstream = TcpStream::connect(destination).ok()?;
    patient(&upstream);
    let (mut from, closing) = (upstream.try_clone().ok()?, websocket.try_clone().ok()?);
    let mut sender = Sender { stream: closing, framing: Framing::FrameAWrite, masked: false };
    // The first end of either side kills both directions: that is how the original was.
    let down = thread::spawn(move || {
        let mut piece = vec![0; LONGEST_MESSAGE];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            if sender.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        let _ = sender.stream.shutdown(Shutdown::Both);
    });
    let mut receiver = Receiver::new(websocket.try_clone().ok()?, false);
    let result = io::copy(&mut receiver, &mut &upstream);
    let ending = match (result, receiver.close) {
        (Ok(_), Some(Some(1000))) => Ending::Normal,
        (Ok(_), None) if down.is_finished() => Ending::Own,
        (Ok(_), close) => Ending::Failure(format!("ended with close {close:?}")),
        (Err(error), _) => Ending::Failure(error.to_string()),
    };
    let _ = upstream.shutdown(Shutdown::Both);
    let _ = websocket.shutdown(Shutdown::Both);
    let _ = down.join();
    Some(ending)
}

/// Writes payload as frames.
struct Sender {
    stream: TcpStream,
    framing: Framing,
    masked: bool,
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let message = &bytes[..bytes.len().min(LONGEST_MESSAGE)];
        let fragment = if self.framing == Framing::Fragments { 4_096 } else { LONGEST_MESSAGE };
        let last = message.len().div_ceil(fragment).saturating_sub(1);
        for (number, part) in message.chunks(fragment).enumerate() {
            let opcode = if number == 0 { BINARY } else { CONTINUATION };
            let mut frame = Frame::new(opcode, part);
            frame.masked = self.masked;
            if number != last {
                frame = frame.unfinished();
            }
            self.stream.write_all(&frame.encode())?;
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the payload of frames; answers pings, but only while somebody reads.
struct Receiver {
    reader: BufReader<TcpStream>,
    message: io::Cursor<Vec<u8>>,
    is_client: bool,
    close: Option<Option<u16>>,
}

impl Receiver {
    fn new(stream: TcpStream, is_client: bool) -> Receiver {
        let reader = BufReader::with_capacity(64 * 1024, stream);
        Receiver { reader, message: io::Cursor::default(), is_client, close: None }
    }

    fn answer(&mut self, mut frame: Frame) -> io::Result<()> {
        frame.masked = self.is_client;
        self.reader.get_mut().write_all(&frame.encode())
    }
}

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.message.read(buffer)?;
            if count != 0 || self.close.is_some() {
                return Ok(count);
            }
            let Some(frame) = Frame::read(&mut self.reader)? else { return Ok(0) };
            if frame.masked == self.is_client {
                return Err(io::Error::other("masked by the wrong side"));
            }
            match frame.opcode() {
                BINARY | CONTINUATION => self.message = io::Cursor::new(frame.payload),
                PING => self.answer(Frame::new(PONG, frame.payload))?,
                PONG => {}
                CLOSE => {
                    self.close = Some(frame.close_code());
                    let _ = self.answer(Frame::new(CLOSE, frame.payload));
                }
                TEXT => return Err(io::Error::other("text ends the connection")),
                other => return Err(io::Error::other(format!("opcode {other}"))),
            }
        }
    }
}
