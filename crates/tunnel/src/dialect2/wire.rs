//! The frames: what is written, and a parser that takes them piece by piece.
//!
//! One frame is one binary message; its first byte is the kind, integers are big-endian:
//!
//! ```text
//!   01 DATA    1 byte to 256 KiB of the stream
//!   02 ACK     u64 delivered, u32 window
//!   03 EOF     u64 total
//!   04 RESET   u16 code, at most 120 bytes of UTF-8
//!   05 GOAWAY  u32 seconds
//! ```

use crate::frame::{HEAD_ROOM, Opcode, Role, put_header, put_header_only};
use crate::mask;

pub(super) const DATA: u8 = 0x01;
pub(super) const ACK: u8 = 0x02;
const EOF: u8 = 0x03;
const RESET: u8 = 0x04;
const GOAWAY: u8 = 0x05;

/// The most that a DATA frame carries, in bytes.
pub const MAX_DATA: usize = 256 * 1024;
/// The longest body of a frame that is not DATA: a RESET's.
const MAX_BODY: usize = 2 + MAX_TEXT;
/// The longest text of a RESET, in bytes.
const MAX_TEXT: usize = 120;
/// The longest ACK on the wire: header, masking key, kind, body.
const ACK_ROOM: usize = 2 + 4 + 1 + 12;
/// A buffer that is read into behind so much room takes everything that goes before its bytes in the same
/// write: an ACK frame, and the header and kind of the DATA frame.
pub const DATA_ROOM: usize = ACK_ROOM + HEAD_ROOM + 1;

/// A frame that is not DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// So far the bytes are written to the local socket; so many more may come.
    Ack { delivered: u64, window: u32 },
    /// No more data after this total.
    Eof { total: u64 },
    /// The session is over.
    Reset { code: u16, text: String },
    /// This WebSocket is to be replaced within so long.
    GoAway { seconds: u32 },
}

impl Frame {
    /// Kind and body.
    fn message(&self) -> Vec<u8> {
        match self {
            Self::Ack { delivered, window } => {
                [&[ACK][..], &delivered.to_be_bytes(), &window.to_be_bytes()].concat()
            }
            Self::Eof { total } => [&[EOF][..], &total.to_be_bytes()].concat(),
            Self::Reset { code, text } => [&[RESET][..], &code.to_be_bytes(), cut(text).as_bytes()].concat(),
            Self::GoAway { seconds } => [&[GOAWAY][..], &seconds.to_be_bytes()].concat(),
        }
    }

    /// Appends the frame, as a WebSocket message.
    pub(super) fn put(&self, role: Role, out: &mut Vec<u8>) {
        let message = self.message();
        let begin = out.len();
        out.resize(begin + HEAD_ROOM, 0);
        out.extend_from_slice(&message);
        let start = put_header(&mut out[begin..], message.len(), Opcode::Binary, role);
        out.drain(begin..begin + start);
    }

    /// Reads a whole message.
    fn parse(kind: u8, body: &[u8]) -> Result<Self, Fault> {
        let frame = match (kind, body) {
            (ACK, [a, b, c, d, e, f, g, h, window @ ..]) => Self::Ack {
                delivered: u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
                window: u32::from_be_bytes(exactly(window)?),
            },
            (EOF, total) => Self::Eof { total: u64::from_be_bytes(exactly(total)?) },
            (RESET, [a, b, text @ ..]) => Self::Reset {
                code: u16::from_be_bytes([*a, *b]),
                text: std::str::from_utf8(text).map_err(|_| Fault::Text)?.to_owned(),
            },
            (GOAWAY, seconds) => Self::GoAway { seconds: u32::from_be_bytes(exactly(seconds)?) },
            _ => return Err(Fault::Length),
        };
        Ok(frame)
    }
}

/// As much of the text as fits, whole characters.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Fault> {
    bytes.try_into().map_err(|_| Fault::Length)
}

/// Makes a DATA frame of `buffer[DATA_ROOM..DATA_ROOM + len]`, in place; returns where it starts.
pub(super) fn put_data(buffer: &mut [u8], len: usize, role: Role) -> usize {
    buffer[DATA_ROOM - 1] = DATA;
    ACK_ROOM + put_header(&mut buffer[ACK_ROOM..], len + 1, Opcode::Binary, role)
}

/// The same, in `buffer`, of bytes that lie elsewhere and stay as they are.
pub(super) fn put_data_of(bytes: &[u8], buffer: &mut [u8], role: Role) -> usize {
    let (key, whole) = (role.key(), bytes.len() + 1);
    let (head, payload) = buffer.split_at_mut(DATA_ROOM);
    mask::copy(bytes, &mut payload[..bytes.len()], key.unwrap_or_default(), 1);
    mask::copy(&[DATA], &mut head[DATA_ROOM - 1..], key.unwrap_or_default(), 0);
    ACK_ROOM + put_header_only(&mut buffer[ACK_ROOM..], whole, Opcode::Binary, key)
}

/// How the peer broke the protocol of the frames. All are answered with Close 1002.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    FirstFrame,
    Length,
    Text,
    AckTooFar,
    BeyondWindow,
    AfterEof,
    OtherTotal,
}

impl Fault {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::FirstFrame => "first frame is not an ACK",
            Self::Length => "frame of a wrong length",
            Self::Text => "text of a RESET is not UTF-8",
            Self::AckTooFar => "ACK of what was not sent",
            Self::BeyondWindow => "DATA beyond the window",
            Self::AfterEof => "DATA after the end of file",
            Self::OtherTotal => "EOF at a wrong position",
        }
    }
}

/// Where in a message the stream of messages stands.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The kind of the message that has begun.
    kind: Option<u8>,
    /// How much of its body has come.
    have: usize,
    body: Box<[u8]>,
}

impl Parser {
    /// The kind of the message that has begun.
    pub(super) fn kind(&self) -> Option<u8> {
        self.kind
    }

    /// Takes a piece of a message; says how much of its front is not bytes of the stream.
    pub(super) fn piece(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(0) };
        let (kind, body) = match self.kind {
            Some(kind) => (kind, bytes),
            None => (*self.kind.insert(first), rest),
        };
        let begin = self.have;
        self.have = begin.saturating_add(body.len());
        match kind {
            DATA if self.have > MAX_DATA => Err(Fault::Length),
            DATA => Ok(bytes.len() - body.len()),
            ACK | EOF | RESET | GOAWAY => {
                if self.body.is_empty() {
                    self.body = Box::new([0; MAX_BODY]);
                }
                let place = self.body.get_mut(begin..self.have).ok_or(Fault::Length)?;
                place.copy_from_slice(body);
                Ok(bytes.len())
            }
            _ => Ok(bytes.len()),
        }
    }

    /// The message is complete; gives its frame, if it is one we know that is not DATA.
    pub(super) fn end(&mut self) -> Result<Option<Frame>, Fault> {
        let have = std::mem::take(&mut self.have);
        let body = std::mem::take(&mut self.body);
        match self.kind.take() {
            Some(DATA) if have == 0 => Err(Fault::Length),
            Some(kind @ (ACK | EOF | RESET | GOAWAY)) => {
                Frame::parse(kind, body.get(..have).ok_or(Fault::Length)?).map(Some)
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
