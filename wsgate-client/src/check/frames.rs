//! As much of WebSocket as a ping, its pong and a Close need. What the destination says meanwhile is dropped.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tunnel::dialect2::{Budget, ResetCode, Session, Terms};
use tunnel::{MAX_FRAME, Opcode, Role, Wire, close, encode_control};

use crate::stream::Stream;

/// How long a pong is waited for.
const PONG: Duration = Duration::from_secs(5);
/// How long the answer to our Close is waited for.
const CLOSE: Duration = Duration::from_secs(2);

/// The gateway's end of an open WebSocket.
pub(super) struct Frames {
    stream: Stream,
    early: Vec<u8>,
}

/// A control frame.
struct Control {
    opcode: u8,
    payload: Vec<u8>,
}

impl Frames {
    pub(super) fn new(wire: Wire<Stream>) -> Self {
        Self { stream: wire.stream, early: wire.early }
    }

    /// The time from a ping to its pong.
    pub(super) async fn round_trip(&mut self) -> io::Result<Duration> {
        let payload: [u8; 8] = rand::random();
        let begun = Instant::now();
        self.stream.write_all(&encode_control(Opcode::Ping, &payload, Role::Client)).await?;
        self.stream.flush().await?;
        let answered = timeout(PONG, self.pong(&payload)).await;
        answered.map_err(|_| io::Error::other(format!("no pong within {PONG:?}")))??;
        Ok(begun.elapsed())
    }

    async fn pong(&mut self, payload: &[u8]) -> io::Result<()> {
        loop {
            let Control { opcode, payload: got } = self.control().await?;
            if opcode == Opcode::Pong as u8 && got == payload {
                return Ok(());
            }
            if opcode == Opcode::Close as u8 {
                let code = got.first_chunk().map_or(close::NONE, |code| u16::from_be_bytes(*code));
                return Err(io::Error::other(format!("the gateway closed at once, with code {code}")));
            }
        }
    }

    /// Says goodbye, with a Close 1000 or what is given, and waits a little for the answer, so that the gateway
    /// sees an end.
    pub(super) async fn close(mut self, farewell: Option<Vec<u8>>) {
        let normal = || encode_control(Opcode::Close, &close::NORMAL.to_be_bytes(), Role::Client).to_vec();
        let goodbye = farewell.unwrap_or_else(normal);
        let saying = async {
            self.stream.write_all(&goodbye).await?;
            self.stream.flush().await?;
            while self.control().await?.opcode != Opcode::Close as u8 {}
            self.stream.shutdown().await
        };
        let _ = timeout(CLOSE, saying).await; // whoever does not answer is left
    }

    /// The next control frame; payload is skipped.
    async fn control(&mut self) -> io::Result<Control> {
        let early = std::mem::take(&mut self.early);
        let mut rest = early.as_slice();
        let result = next_control(&mut (&mut rest).chain(&mut self.stream)).await;
        self.early = rest.to_vec();
        result
    }
}

/// What ends a session of dialect 2 for good: a Close alone would have it kept for a while.
pub(super) fn farewell(terms: Terms, budget: &Arc<Budget>) -> Vec<u8> {
    let now = Instant::now();
    let (mut session, mut link) = Session::new(terms, budget, now);
    session.reset(ResetCode::LOCAL, "only a check");
    link.control(&mut session, now).unwrap_or_default()
}

/// Headers as in RFC 6455 section 5.2; a server's frames have no mask.
async fn next_control(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Control> {
    loop {
        let (first, second) = (from.read_u8().await?, from.read_u8().await?);
        let length = match second {
            126 => u64::from(from.read_u16().await?),
            127 => from.read_u64().await?,
            short => u64::from(short),
        };
        if length > MAX_FRAME || second & 0x80 != 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        let opcode = first & 0xf;
        if opcode >= Opcode::Close as u8 && length < 126 {
            let mut payload = vec![0; length as usize];
            from.read_exact(&mut payload).await?;
            return Ok(Control { opcode, payload });
        }
        let skipped = tokio::io::copy(&mut from.take(length), &mut tokio::io::sink()).await?;
        if skipped < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}
