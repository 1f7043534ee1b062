//! From the WebSocket to the local socket: payload is forwarded as it arrives (cut-through).

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relay::{Buffer, Leg, Moved, Size};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::decode::{Decoder, End};
use crate::frame::Role;

/// As many pieces as one vectored write is given.
const SLICES: usize = 64;

/// How the peer's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerEnd {
    /// By a frame: a Close, or one that breaks the protocol.
    Frame(End),
    /// Without a Close; complete if it was not within a message.
    Eof { complete: bool },
    /// The connection failed.
    Failed(ErrorKind),
}

/// What was read and is not written yet: one chunk at most.
pub(super) struct Incoming {
    decoder: Decoder,
    /// What came with the upgrade's head, not yet in a chunk.
    early: VecDeque<u8>,
    /// `chunk[taken..filled]` is not decoded yet.
    chunk: Option<Buffer>,
    taken: usize,
    filled: usize,
    /// Payload in the chunk, not yet written to the local socket.
    pieces: VecDeque<Range<usize>>,
    size: Size,
    ping: Option<Vec<u8>>,
    pong: bool,
    end: Option<PeerEnd>,
    discarding: bool,
    /// How a write failed: the local socket takes no more.
    sink_error: Option<ErrorKind>,
    /// Payload bytes written to the local socket.
    pub(super) moved: Moved,
    /// When payload last came or was written.
    pub(super) last_moved: Instant,
    /// When anything last came.
    pub(super) last_received: Instant,
}

impl Incoming {
    pub(super) fn new(role: Role, early: Vec<u8>, moved: Moved, now: Instant) -> Self {
        Self {
            decoder: Decoder::new(role),
            early: early.into(),
            chunk: None,
            taken: 0,
            filled: 0,
            pieces: VecDeque::new(),
            size: Size::default(),
            ping: None,
            pong: false,
            end: None,
            discarding: false,
            sink_error: None,
            moved,
            last_moved: now,
            last_received: now,
        }
    }

    /// Does one thing: a write, a decoding or a read. Pending when it can do none now. `see` is shown the
    /// payload that was decoded.
    #[inline] // into the loop of a tunnel: what it does is less than a call's worth of moves
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut impl Leg,
        local: &mut impl Leg,
        now: Instant,
        see: impl FnMut(&[u8]),
    ) -> Poll<()> {
        if !self.pieces.is_empty() {
            return self.write(cx, local, now);
        }
        if self.end.is_some() {
            self.chunk = None;
            return Poll::Pending;
        }
        if self.taken < self.filled {
            self.decode(now, see);
            return Poll::Ready(());
        }
        self.chunk = None;
        self.read(cx, wire, now)
    }

    fn read(&mut self, cx: &mut Context<'_>, wire: &mut impl Leg, now: Instant) -> Poll<()> {
        let mut chunk = Buffer::take(self.size);
        let got = if self.early.is_empty() {
            let mut into = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(wire).poll_read(cx, &mut into)) {
                Ok(()) => into.filled().len(),
                Err(error) => {
                    self.end = Some(failure(error.kind()));
                    return Poll::Ready(());
                }
            }
        } else {
            let n = self.early.len().min(chunk.len());
            chunk.iter_mut().zip(self.early.drain(..n)).for_each(|(to, from)| *to = from);
            if self.early.is_empty() {
                self.early = VecDeque::new(); // its memory, up to a whole head's, is not kept for the tunnel's life
            }
            n
        };
        if got == 0 {
            self.end = Some(PeerEnd::Eof { complete: self.decoder.at_boundary() });
            return Poll::Ready(());
        }
        self.last_received = now;
        self.size = self.size.after(got, chunk.len());
        (self.taken, self.filled) = (0, got);
        self.chunk = Some(chunk);
        Poll::Ready(())
    }

    #[inline]
    fn decode(&mut self, now: Instant, mut see: impl FnMut(&[u8])) {
        let Some(chunk) = &mut self.chunk else { return };
        let rest = self.taken;
        let found = self.decoder.decode(&mut chunk[rest..self.filled]);
        self.taken += found.taken;
        self.ping = found.ping.or(self.ping.take());
        self.pong |= found.pong;
        self.end = found.end.map(PeerEnd::Frame);
        if found.pieces.is_empty() {
            return;
        }
        self.last_moved = now;
        let pieces = found.pieces.into_iter().map(|p| p.start + rest..p.end + rest);
        if !self.discarding {
            self.pieces.extend(pieces.inspect(|piece| see(&chunk[piece.clone()])));
        }
    }

    #[inline]
    fn write(&mut self, cx: &mut Context<'_>, local: &mut impl Leg, now: Instant) -> Poll<()> {
        let Some(chunk) = &self.chunk else { return Poll::Ready(()) };
        let written = if let [only] = self.pieces.make_contiguous() {
            ready!(Pin::new(local).poll_write(cx, &chunk[only.clone()]))
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.pieces.len().min(SLICES);
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(&chunk[piece.clone()]);
            }
            ready!(Pin::new(local).poll_write_vectored(cx, &slices[..count]))
        };
        match written {
            Ok(n) if n > 0 => {
                self.moved.add(n);
                self.last_moved = now;
                self.advance(n);
            }
            failed => {
                self.sink_error = Some(failed.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero));
                self.discard();
            }
        }
        Poll::Ready(())
    }

    /// `n` bytes of the pieces are written.
    fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let Some(first) = self.pieces.front_mut() else { return };
            if n < first.len() {
                first.start += n;
                return;
            }
            n -= first.len();
            self.pieces.pop_front();
        }
    }

    /// From now on payload is dropped; the frames are still followed.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.pieces.clear();
    }

    pub(super) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// When the answer to a ping came, if one has.
    pub(super) fn take_pong(&mut self) -> Option<Instant> {
        std::mem::take(&mut self.pong).then_some(self.last_received)
    }

    pub(super) fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    /// Whether payload waits for the local socket to take it.
    pub(super) fn undelivered(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Whether the peer's stream has ended and all of it is written.
    pub(super) fn all_delivered(&self) -> bool {
        self.end.is_some() && self.pieces.is_empty()
    }

    /// Whether the local socket takes no more.
    pub(super) fn sink_gone(&self) -> bool {
        self.sink_error.is_some()
    }

    pub(super) fn sink_error(&self) -> Option<ErrorKind> {
        self.sink_error
    }
}

/// TLS reports an end without close_notify as an error: somebody may have cut the stream.
fn failure(kind: ErrorKind) -> PeerEnd {
    match kind {
        ErrorKind::UnexpectedEof => PeerEnd::Eof { complete: false },
        kind => PeerEnd::Failed(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::Socket;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn early_bytes_leave_no_memory_behind() {
        let ((wire, _peer), (local, _app)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let (mut wire, mut local) = (Socket::from(wire), Socket::from(local));
        let now = Instant::now();
        let mut incoming = Incoming::new(Role::Client, [0x82, 0].repeat(30_000), Moved::default(), now);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while incoming.step(&mut cx, &mut wire, &mut local, now, |_| {}).is_ready() {}
        assert_eq!((incoming.peer_end(), incoming.early.capacity()), (None, 0));
    }
}
