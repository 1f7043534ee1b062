//! From the WebSocket into the session: bytes of the stream are given out as they arrive.

use std::io::IoSlice;
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use super::super::reset::ResetCode;
use super::super::session::{Over, Session};
use super::super::wire::{ACK, DATA, Fault, Frame};
use super::Link;
use crate::decode::keep;

/// New bytes of the stream, where they came to lie in the chunk. What is not [passed](Self::passed) on to
/// the local socket by the time this is dropped is copied into the session, unless that is over.
#[derive(Debug)]
pub struct Taken<'t> {
    session: &'t mut Session,
    chunk: &'t [u8],
    pieces: Vec<Range<usize>>,
    now: Instant,
}

impl Link {
    /// Takes a chunk of the WebSocket's stream, all of it, unmasking it in place.
    pub fn take<'t>(&mut self, session: &'t mut Session, chunk: &'t mut [u8], now: Instant) -> Taken<'t> {
        if !chunk.is_empty() {
            self.heard = now;
        }
        let nothing_held = !session.holds_any();
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < chunk.len() {
            let found = self.decoder.decode_message(&mut chunk[at..]);
            self.pong = found.ping.or(self.pong.take());
            if found.pong {
                self.pong_came(session, now);
            }
            if !session.is_broken() {
                let here = found.pieces.into_iter().map(|piece| piece.start + at..piece.end + at);
                let judged = self.message(session, chunk, here, found.message_end, &mut pieces);
                if let Err(fault) = judged {
                    session.end(Over::Violated(fault.text()));
                }
            }
            if let Some(end) = found.end {
                self.ended_by(session, end);
                break;
            }
            at += found.taken;
        }
        // What came before a RESET is still to be offered, unless older bytes had to go first.
        let offered = nothing_held && matches!(session.over(), Some(Over::ResetByPeer(..)));
        if session.is_broken() && !offered {
            pieces.clear();
        }
        Taken { session, chunk, pieces, now }
    }

    /// Pieces of one message, and perhaps its end.
    fn message(
        &mut self,
        session: &mut Session,
        chunk: &mut [u8],
        here: impl Iterator<Item = Range<usize>>,
        ends: bool,
        pieces: &mut Vec<Range<usize>>,
    ) -> Result<(), Fault> {
        for piece in here {
            let skip = self.parser.piece(&chunk[piece.clone()])?;
            let kind = self.parser.kind();
            if !self.opened && kind != Some(ACK) {
                return Err(Fault::FirstFrame);
            }
            if kind == Some(DATA) {
                let data = piece.start + skip..piece.end;
                let fresh = self.data_came(session, data, pieces.iter().map(Range::len).sum())?;
                if !fresh.is_empty() {
                    keep(chunk, pieces, fresh);
                }
            }
        }
        match if ends { self.parser.end()? } else { None } {
            Some(frame) => self.frame_came(session, frame),
            None => Ok(()),
        }
    }

    /// Bytes of the stream: those that the session has already are dropped. `pending` bytes before them are
    /// on their way into the session.
    fn data_came(
        &mut self,
        session: &Session,
        data: Range<usize>,
        pending: usize,
    ) -> Result<Range<usize>, Fault> {
        let end = self.position + data.len() as u64;
        session.receiving.check_data(end)?;
        let known = session.receiving.bytes() + pending as u64;
        debug_assert!(self.position <= known, "a link begins where the session stood, or before");
        let fresh = usize::try_from(end.saturating_sub(known)).unwrap_or(usize::MAX).min(data.len());
        self.position = end;
        Ok(data.end - fresh..data.end)
    }

    fn frame_came(&mut self, session: &mut Session, frame: Frame) -> Result<(), Fault> {
        match frame {
            Frame::Ack { delivered, window } => {
                session.sending.acknowledge(delivered, window)?;
                if !self.retired {
                    session.sending.release(self.send_at);
                }
                self.opened = true;
                session.confirmed = true;
            }
            Frame::Eof { total } => session.receiving.end_of_file(total, self.position)?,
            Frame::Reset { code, text } => session.end(Over::ResetByPeer(ResetCode(code), text)),
            Frame::GoAway { seconds } => self.told_to_go = Some(Duration::from_secs(seconds.into())),
        }
        Ok(())
    }
}

impl Taken<'_> {
    /// For a vectored write to the local socket: fills `into` with the new bytes; tells how many slices
    /// there are. There are none while the session [holds](Session::holds_any) older bytes, which go first.
    pub fn slices<'s>(&'s self, into: &mut [IoSlice<'s>]) -> usize {
        if self.session.holds_any() {
            return 0;
        }
        let slices = self.bytes().map(IoSlice::new);
        into.iter_mut().zip(slices).map(|(place, slice)| *place = slice).count()
    }

    /// All of the new bytes, for those who only look.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &self.chunk[piece.clone()])
    }

    /// The first `n` of the bytes were written to the local socket.
    pub fn passed(&mut self, n: usize) {
        self.session.receiving.delivered_more(n, false, self.now);
        let mut left = n;
        self.pieces.retain_mut(|piece| {
            let gone = left.min(piece.len());
            left -= gone;
            piece.start += gone;
            piece.start < piece.end
        });
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.session.is_broken() {
            return;
        }
        for piece in &self.pieces {
            self.session.receiving.hold(&self.chunk[piece.clone()]);
        }
    }
}
