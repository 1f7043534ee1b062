//! From the session onto the WebSocket: one write at a time, of bounded size.

use std::ops::Range;
use std::sync::Arc;

use relay::Buffer;
use tokio::time::Instant;

use super::super::memory::DataFrame;
use super::super::reset::ResetCode;
use super::super::session::{Over, Session};
use super::super::wire::{self, DATA_ROOM, Frame, MAX_DATA};
use super::{ANSWER, Link};
use crate::frame::{Opcode, Role, encode_control};

impl Link {
    /// What is to be written before any DATA, all of it in one write: the first ACK or one that is due, the
    /// latest pong, EOF or RESET, GOAWAY, a ping, Close. Asked only when the last write is complete.
    pub fn control(&mut self, session: &mut Session, now: Instant) -> Option<Vec<u8>> {
        if self.retired || self.close_sent {
            return None;
        }
        if session.is_finished() {
            session.give_up_upgrade(); // nothing will be asked for again, so that the last ACK may say it all
        }
        let mut out = Vec::new();
        if !self.greeted || session.receiving.ack_due().is_some_and(|due| due <= now) {
            self.put_ack(session, &mut out, now);
        }
        if let Some(payload) = self.pong.take() {
            out.extend(encode_control(Opcode::Pong, &payload, self.role));
        }
        self.put_end_of_stream(session, &mut out);
        if let Some(seconds) = self.go_away.take() {
            Frame::GoAway { seconds }.put(self.role, &mut out);
        }
        if self.ping_is_owed(now) {
            out.extend(encode_control(Opcode::Ping, b"", self.role));
        }
        self.put_close(session, &mut out, now);
        (!out.is_empty()).then_some(out)
    }

    fn put_ack(&mut self, session: &mut Session, out: &mut Vec<u8>, now: Instant) {
        self.greeted = true;
        if session.receiving.is_quarter_untold() {
            self.probe(session, now);
        }
        session.receiving.ack().put(self.role, out);
    }

    /// EOF, or RESET. A local failure is told after what came before it.
    fn put_end_of_stream(&mut self, session: &Session, out: &mut Vec<u8>) {
        let caught_up = self.send_at >= session.sending.bytes();
        match session.over() {
            Some(Over::Reset(code, text)) if !self.reset_sent && (caught_up || code != ResetCode::LOCAL) => {
                self.reset_sent = true;
                Frame::Reset { code: code.0, text }.put(self.role, out);
            }
            None => {
                if let Some(total) = session.sending.total().filter(|total| *total == self.send_at) {
                    self.send_at = total + 1;
                    Frame::Eof { total }.put(self.role, out);
                }
            }
            _ => {}
        }
    }

    fn put_close(&mut self, session: &Session, out: &mut Vec<u8>, now: Instant) {
        let Some(code) = self.owed_close(session) else { return };
        out.extend(encode_control(Opcode::Close, &code.to_be_bytes(), self.role));
        self.close_sent = true;
        self.give_up = Some(now + ANSWER);
    }

    /// Whether bytes that were sent on an earlier WebSocket are to be [sent again](Self::replay) first.
    pub fn is_replaying(&self, session: &Session) -> bool {
        self.may_send(session) && self.send_at < session.sending.bytes()
    }

    /// Makes the next frame of bytes that were sent on an earlier WebSocket, in `buffer`; returns what of it
    /// is to be written. [`control`](Self::control) goes first.
    pub fn replay(&mut self, session: &mut Session, buffer: &mut [u8], now: Instant) -> Option<Range<usize>> {
        if !self.is_replaying(session) {
            return None;
        }
        let most = buffer.len().min(DATA_ROOM + MAX_DATA);
        let len = session.sending.copy_from(self.send_at, buffer.get_mut(DATA_ROOM..most)?);
        (len > 0).then(|| self.frame(session, buffer, len, now))
    }

    /// How many bytes may be read from the local socket now, to `buffer[DATA_ROOM..]`; 0: it is not read.
    /// [`control`](Self::control) and [`replay`](Self::replay) go first.
    pub fn room(&self, session: &Session) -> usize {
        if session.is_over() || !self.may_send(session) || self.is_replaying(session) {
            return 0;
        }
        session.sending.room()
    }

    /// Makes a DATA frame of `buffer[DATA_ROOM..DATA_ROOM + len]`, bytes just read from the local socket, at
    /// most [`room`](Self::room); takes them into the session. An ACK that has something to tell rides in
    /// front.
    ///
    /// # Panics
    /// If the buffer is shorter than [`DATA_ROOM`] and `len` together.
    pub fn data(&mut self, session: &mut Session, mut buffer: Buffer, len: usize, now: Instant) -> DataFrame {
        let bytes = DATA_ROOM..DATA_ROOM + len;
        if !session.sending.would_keep(len, buffer.len()) {
            session.sending.record(&buffer[bytes]);
            let frame = self.frame(session, &mut buffer, len, now);
            return DataFrame::own(buffer, frame);
        }
        // What may have to be sent again stays where it was read: a server writes it from there, a client,
        // since it masks, from elsewhere.
        match self.role {
            Role::Server => {
                let frame = self.frame(session, &mut buffer, len, now);
                let buffer = Arc::new(buffer);
                session.sending.record_kept(buffer.clone(), bytes);
                DataFrame::shared(buffer, frame)
            }
            Role::Client => {
                let mut masked = Buffer::take(buffer.size());
                let start = wire::put_data_of(&buffer[bytes.clone()], &mut masked, self.role);
                let frame = self.framed(session, &mut masked, start..bytes.end, now);
                session.sending.record_kept(Arc::new(buffer), bytes);
                DataFrame::own(masked, frame)
            }
        }
    }

    /// The head of a DATA frame whose `len` bytes are written behind it without being seen (splice), with an
    /// ACK that has something to tell. Only where they are neither masked nor ever sent again: by a server,
    /// in a session without resume.
    pub fn data_unseen(&mut self, session: &mut Session, len: usize, now: Instant) -> Vec<u8> {
        debug_assert!(self.role == Role::Server, "a client's bytes are masked");
        session.sending.count(len);
        let mut head = [0; DATA_ROOM];
        let start = self.frame(session, &mut head, len, now).start;
        head[start..].to_vec()
    }

    fn frame(&mut self, session: &mut Session, buffer: &mut [u8], len: usize, now: Instant) -> Range<usize> {
        let start = wire::put_data(buffer, len, self.role);
        self.framed(session, buffer, start..DATA_ROOM + len, now)
    }

    /// Counts the frame that is `buffer[frame]`, and puts an ACK in front.
    fn framed(
        &mut self,
        session: &mut Session,
        buffer: &mut [u8],
        frame: Range<usize>,
        now: Instant,
    ) -> Range<usize> {
        self.send_at += (frame.end - DATA_ROOM) as u64;
        session.sending.release(self.send_at);
        if self.greeted && !session.receiving.has_news() {
            return frame;
        }
        let mut ack = Vec::new();
        self.put_ack(session, &mut ack, now);
        let start = frame.start - ack.len();
        buffer[start..frame.start].copy_from_slice(&ack);
        start..frame.end
    }

    fn may_send(&self, session: &Session) -> bool {
        let over = match session.over() {
            None => false,
            Some(Over::Reset(code, _)) => code != ResetCode::LOCAL || self.reset_sent,
            Some(_) => true,
        };
        !over && !self.retired && self.close.is_none() && !self.close_sent
    }
}
