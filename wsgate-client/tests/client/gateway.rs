//! A gateway made by hand: it takes a connection, reads the head of a request, and answers what a test says.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tunnel::handshake::accept_for;

use crate::soon;

pub(crate) struct Gateway {
    listener: TcpListener,
}

impl Gateway {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/proxy/mysql", self.address())
    }

    pub(crate) async fn connection(&self) -> TcpStream {
        soon(self.accept()).await
    }

    /// The next connection, however long that takes.
    pub(crate) async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn asked(&self) -> Asked<TcpStream> {
        Asked::read(self.connection().await).await
    }

    /// Whether nobody has connected who was not taken.
    pub(crate) fn is_left_alone(&self) -> bool {
        let accepting = std::pin::pin!(self.listener.accept());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        accepting.poll(&mut cx).is_pending()
    }
}

/// An address at which connections are refused. It is held, so that nobody else listens there meanwhile.
pub(crate) struct Down(TcpSocket);

impl Down {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// From now on there is a gateway.
    pub(crate) fn up(self) -> Gateway {
        Gateway { listener: self.0.listen(128).unwrap() }
    }
}

/// A request whose head has arrived.
pub(crate) struct Asked<S> {
    pub(crate) head: String,
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Asked<S> {
    pub(crate) async fn read(mut stream: S) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        Self { head: String::from_utf8(head).unwrap(), stream }
    }

    /// The values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) async fn answer(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The 101 that grants the upgrade.
    pub(crate) fn granted(&self) -> String {
        let accept = accept_for(self.values("sec-websocket-key")[0].as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    }

    /// Sends the 101, and `frames` in the same segment.
    pub(crate) async fn grant(&mut self, frames: &[u8]) {
        let mut all = self.granted().into_bytes();
        all.extend_from_slice(frames);
        self.stream.write_all(&all).await.unwrap();
    }

    /// The first byte and the unmasked payload of the next frame, which is a short one.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 6];
        soon(self.stream.read_exact(&mut head)).await.unwrap();
        let [first, length, mask @ ..] = head;
        assert!(length & 0x80 != 0, "a client's frames are masked");
        let mut payload = vec![0; usize::from(length & 0x7f)];
        assert!(payload.len() < 126);
        soon(self.stream.read_exact(&mut payload)).await.unwrap();
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        (first, payload)
    }
}

/// A binary message and a Close 1000, from a server.
pub(crate) fn message_and_close(payload: &[u8]) -> Vec<u8> {
    let mut frames = message(payload);
    frames.extend_from_slice(b"\x88\x02\x03\xe8");
    frames
}

/// A binary message from a server, of at most 125 bytes.
pub(crate) fn message(payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![0x82, payload.len() as u8];
    frame.extend_from_slice(payload);
    frame
}
