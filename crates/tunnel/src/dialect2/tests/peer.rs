//! One end under test, and a peer made by hand.

use std::time::Duration;

use tokio::time::Instant;

use super::rig::read_into_a_buffer;
use crate::dialect2::wire::{Frame, put_data};
use crate::dialect2::{Budget, DATA_ROOM, Link, Session, Terms};
use crate::{Decoder, End, Opcode, Role, encode_control};

/// The end under test.
pub(super) struct Near {
    pub(super) session: Session,
    pub(super) link: Link,
    pub(super) now: Instant,
    pub(super) role: Role,
}

/// What it wrote: kinds and bodies of messages, the Close code, pings and pongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wrote {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) close: Option<u16>,
    pub(super) ping: bool,
    pub(super) pong: bool,
}

pub(super) const ACK_0: Frame = Frame::Ack { delivered: 0, window: 65_536 };

impl Near {
    /// An end that has said its first ACK and had its peer's.
    pub(super) fn open(role: Role, resume: bool) -> Self {
        let mut near = Self::new(role, resume);
        near.control();
        near.frame(&ACK_0);
        near
    }

    pub(super) fn new(role: Role, resume: bool) -> Self {
        let now = Instant::now();
        let terms = Terms { role, window: 1 << 20, resume };
        let (session, link) = Session::new(terms, &Budget::new(1 << 24), now);
        Self { session, link, now, role }
    }

    pub(super) fn peer(&self) -> Role {
        if self.role == Role::Client { Role::Server } else { Role::Client }
    }

    /// The peer's bytes come; those of its stream that are new.
    pub(super) fn bytes(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let taken = self.link.take(&mut self.session, &mut bytes, self.now);
        taken.bytes().collect::<Vec<_>>().concat()
    }

    pub(super) fn frame(&mut self, frame: &Frame) {
        let mut bytes = Vec::new();
        frame.put(self.peer(), &mut bytes);
        self.bytes(bytes);
    }

    pub(super) fn data(&mut self, data: &[u8]) -> Vec<u8> {
        let mut buffer = [&[0; DATA_ROOM][..], data].concat();
        let start = put_data(&mut buffer, data.len(), self.peer());
        self.bytes(buffer.split_off(start))
    }

    pub(super) fn websocket(&mut self, opcode: Opcode, payload: &[u8]) {
        let bytes = encode_control(opcode, payload, self.peer());
        self.bytes(bytes);
    }

    /// The local socket takes everything that is held.
    pub(super) fn deliver(&mut self) {
        let held = usize::try_from(self.session.received() - self.session.delivered()).unwrap();
        self.session.wrote(held, self.now);
    }

    pub(super) fn control(&mut self) -> Wrote {
        let bytes = self.link.control(&mut self.session, self.now).unwrap_or_default();
        self.wrote(bytes)
    }

    /// Reads `data` from the local socket and makes a frame of it.
    pub(super) fn send(&mut self, data: &[u8]) -> Wrote {
        assert!(self.link.room(&self.session) >= data.len(), "there is room");
        let buffer = read_into_a_buffer(data);
        let frame = self.link.data(&mut self.session, buffer, data.len(), self.now);
        self.wrote(frame.to_vec())
    }

    pub(super) fn wrote(&self, mut bytes: Vec<u8>) -> Wrote {
        let mut decoder = Decoder::new(self.peer());
        let (mut wrote, mut at) = (Wrote::default(), 0);
        while at < bytes.len() {
            let found = decoder.decode_message(&mut bytes[at..]);
            if found.message_end {
                let pieces = found.pieces.iter().map(|piece| &bytes[at..][piece.clone()]);
                wrote.messages.push(pieces.collect::<Vec<_>>().concat());
            }
            wrote.ping |= found.ping.is_some();
            wrote.pong |= found.pong;
            if let Some(end) = found.end {
                let End::Close(code) = end else { panic!("{end:?}") };
                wrote.close = Some(code);
            }
            at += found.taken;
        }
        wrote
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.link.tick(&self.session, self.now);
    }
}

/// What was written is these frames and nothing else.
pub(super) fn frames(frames: &[Frame]) -> Wrote {
    let messages = frames.iter().map(|frame| {
        let mut bytes = Vec::new();
        frame.put(Role::Server, &mut bytes);
        bytes.split_off(2)
    });
    Wrote { messages: messages.collect(), ..Wrote::default() }
}
