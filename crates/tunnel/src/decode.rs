//! Frames in, payload out: a streaming decoder that never assembles a message.

use std::ops::Range;

use crate::frame::{HEAD_ROOM, MAX_CONTROL, MAX_FRAME, Role};
use crate::{close, mask};

/// A payload piece up to this long is moved behind the one before it, so that a run of small fragments
/// leaves in one write; a longer one is cheaper written from where it lies.
const MOVE_AT_MOST: usize = 1024;
/// As many pieces as one vectored write takes; a chunk with more is decoded in several goes.
const MOST_PIECES: usize = 64;

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the texts say it
pub enum Violation {
    ReservedBits,
    UnknownOpcode,
    Text,
    Unmasked,
    Masked,
    LooseContinuation,
    Interleaved,
    FragmentedControl,
    LongControl,
    LongLength,
    TooBig,
    CloseLength,
    CloseCode,
    CloseReason,
}

impl Violation {
    /// The code of the Close frame that answers it (RFC 6455 section 7.4.1).
    pub fn code(self) -> u16 {
        match self {
            Self::Text => close::UNACCEPTABLE,
            Self::TooBig => close::TOO_BIG,
            Self::CloseReason => close::NOT_UTF8,
            _ => close::PROTOCOL,
        }
    }

    /// What was wrong, for logs.
    pub fn text(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bits set",
            Self::UnknownOpcode => "unknown opcode",
            Self::Text => "text message",
            Self::Unmasked => "client frame without mask",
            Self::Masked => "server frame with mask",
            Self::LooseContinuation => "continuation of nothing",
            Self::Interleaved => "message begun within a message",
            Self::FragmentedControl => "fragmented control frame",
            Self::LongControl => "control frame longer than 125 bytes",
            Self::LongLength => "length not in its shortest form",
            Self::TooBig => "frame longer than 1 GiB",
            Self::CloseLength => "close payload of one byte",
            Self::CloseCode => "close code not allowed",
            Self::CloseReason => "close reason not UTF-8",
        }
    }
}

/// How the peer's side of the WebSocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A Close frame with this code (1005: without one).
    Close(u16),
    /// It broke the protocol.
    Violation(Violation),
}

/// What one call of [`Decoder::decode`] found.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Where in the chunk the unmasked payload lies now, in order.
    pub pieces: Vec<Range<usize>>,
    /// How much of the chunk was taken. Less than all of it when there are more pieces than one write
    /// takes, or when the stream has ended.
    pub taken: usize,
    /// The payload of the latest ping in the chunk, which is owed a pong (older ones need none, RFC 6455
    /// section 5.5.3).
    pub ping: Option<Vec<u8>>,
    /// Whether there was a pong to a ping without payload, such as ours are.
    pub pong: bool,
    /// Whether what was taken ends with the end of a message.
    pub message_end: bool,
    /// The end, if it came. Nothing after it is taken.
    pub end: Option<End>,
}

/// The state between two chunks: a position in a frame, never a payload.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    state: State,
    in_message: bool,
}

#[derive(Debug)]
enum State {
    /// Collecting a header.
    Head { bytes: [u8; HEAD_ROOM], have: usize },
    /// Within the payload of a data frame; `phase` counts its bytes so far mod 4.
    Data { left: u64, key: Option<[u8; 4]>, phase: u8 },
    /// Collecting the payload of a control frame. In a box, since an idle tunnel has none.
    Control(Box<Control>),
    /// After the end.
    Ended,
}

#[derive(Debug)]
struct Control {
    opcode: u8,
    key: Option<[u8; 4]>,
    bytes: [u8; MAX_CONTROL],
    have: usize,
    want: usize,
}

const BEGIN: State = State::Head { bytes: [0; HEAD_ROOM], have: 0 };

impl Decoder {
    /// A decoder for what the peer of `role` sends.
    pub fn new(role: Role) -> Self {
        Self { role, state: BEGIN, in_message: false }
    }

    /// Whether the stream may end here without having lost anything: not within a frame, and not
    /// between the fragments of a message.
    pub fn at_boundary(&self) -> bool {
        matches!(self.state, State::Head { have: 0, .. } | State::Ended) && !self.in_message
    }

    /// Takes frames from `chunk`, unmasking payload where it lies. Where one message ends and the next
    /// begins is not told.
    pub fn decode(&mut self, chunk: &mut [u8]) -> Decoded {
        self.decode_until(chunk, |_| false)
    }

    /// The same up to the end of a message at most: all pieces are of one message.
    pub(crate) fn decode_message(&mut self, chunk: &mut [u8]) -> Decoded {
        self.decode_until(chunk, |out| out.message_end)
    }

    fn decode_until(&mut self, chunk: &mut [u8], enough: impl Fn(&Decoded) -> bool) -> Decoded {
        let mut out = Decoded::default();
        while out.end.is_none() && out.taken < chunk.len() && out.pieces.len() < MOST_PIECES && !enough(&out)
        {
            out.message_end = false;
            if let Err(violation) = self.step(chunk, &mut out) {
                self.state = State::Ended;
                out.end = Some(End::Violation(violation));
            }
        }
        out
    }

    /// Takes bytes up to the next change of state.
    fn step(&mut self, chunk: &mut [u8], out: &mut Decoded) -> Result<(), Violation> {
        match &mut self.state {
            State::Head { bytes, have } => {
                let want = header_length(&bytes[..*have]);
                let n = (want - *have).min(chunk.len() - out.taken);
                bytes[*have..*have + n].copy_from_slice(&chunk[out.taken..out.taken + n]);
                *have += n;
                out.taken += n;
                if *have == header_length(&bytes[..*have]) {
                    let head = Head::parse(&bytes[..*have])?;
                    self.begin(&head, out)?;
                }
            }
            State::Data { left, key, phase } => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(chunk.len() - out.taken);
                let piece = out.taken..out.taken + n;
                if let Some(key) = key {
                    mask::apply(&mut chunk[piece.clone()], *key, *phase);
                }
                *left -= n as u64;
                *phase = phase.wrapping_add((n % 4) as u8);
                out.taken += n;
                if *left == 0 {
                    self.state = BEGIN;
                    out.message_end = !self.in_message;
                }
                keep(chunk, &mut out.pieces, piece);
            }
            State::Control(control) => {
                let n = (control.want - control.have).min(chunk.len() - out.taken);
                control.bytes[control.have..control.have + n]
                    .copy_from_slice(&chunk[out.taken..out.taken + n]);
                control.have += n;
                out.taken += n;
                if control.have == control.want {
                    self.end_control(out)?;
                }
            }
            State::Ended => out.taken = chunk.len(),
        }
        Ok(())
    }

    /// A header is complete: checks it against the state and moves on to its payload.
    fn begin(&mut self, head: &Head, out: &mut Decoded) -> Result<(), Violation> {
        match (self.role, head.key) {
            (Role::Server, None) => return Err(Violation::Unmasked),
            (Role::Client, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        if head.opcode >= 0x8 {
            return self.begin_control(head, out);
        }
        match (head.opcode, self.in_message) {
            (0x0, true) | (0x2, false) => {}
            (0x0, false) => return Err(Violation::LooseContinuation),
            (0x1, _) => return Err(Violation::Text),
            (0x2, true) => return Err(Violation::Interleaved),
            _ => return Err(Violation::UnknownOpcode),
        }
        if head.length > MAX_FRAME {
            return Err(Violation::TooBig);
        }
        self.in_message = !head.fin;
        self.state = match head.length {
            0 => {
                out.message_end = head.fin;
                BEGIN
            }
            left => State::Data { left, key: head.key, phase: 0 },
        };
        Ok(())
    }

    fn begin_control(&mut self, head: &Head, out: &mut Decoded) -> Result<(), Violation> {
        if head.opcode > 0xA {
            return Err(Violation::UnknownOpcode);
        }
        if !head.fin {
            return Err(Violation::FragmentedControl);
        }
        if head.length > MAX_CONTROL as u64 {
            return Err(Violation::LongControl);
        }
        let (opcode, key, want) = (head.opcode, head.key, head.length as usize);
        self.state =
            State::Control(Box::new(Control { opcode, key, bytes: [0; MAX_CONTROL], have: 0, want }));
        if want == 0 { self.end_control(out) } else { Ok(()) }
    }

    fn end_control(&mut self, out: &mut Decoded) -> Result<(), Violation> {
        let State::Control(mut control) = std::mem::replace(&mut self.state, BEGIN) else { return Ok(()) };
        let payload = &mut control.bytes[..control.want];
        if let Some(key) = control.key {
            mask::apply(payload, key, 0);
        }
        match control.opcode {
            0x8 => {
                out.end = Some(End::Close(close::parse(payload)?));
                self.state = State::Ended;
            }
            0x9 => out.ping = Some(payload.to_vec()),
            _ => out.pong |= control.want == 0,
        }
        Ok(())
    }
}

/// Adds a piece, behind the last one if it is adjacent or small.
pub(crate) fn keep(chunk: &mut [u8], pieces: &mut Vec<Range<usize>>, piece: Range<usize>) {
    match pieces.last_mut() {
        Some(last) if last.end == piece.start => last.end = piece.end,
        Some(last) if piece.len() <= MOVE_AT_MOST => {
            chunk.copy_within(piece.clone(), last.end);
            last.end += piece.len();
        }
        _ => pieces.push(piece),
    }
}

/// A parsed header.
struct Head {
    fin: bool,
    opcode: u8,
    length: u64,
    key: Option<[u8; 4]>,
}

/// How long the header is, as far as its first bytes tell: 2 until the second byte is there.
fn header_length(bytes: &[u8]) -> usize {
    let Some(second) = bytes.get(1) else { return 2 };
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 != 0 { 4 } else { 0 }
}

impl Head {
    /// Reads a complete header ([`header_length`] bytes).
    fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        let [first, second, rest @ ..] = bytes else { return Err(Violation::LongLength) };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let (length, least, rest) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 126, rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 0x1_0000, rest)
            }
            (short, rest) => (u64::from(short), 0, rest),
        };
        if length < least {
            return Err(Violation::LongLength);
        }
        let key = if second & 0x80 != 0 { rest.first_chunk().copied() } else { None };
        Ok(Self { fin: first & 0x80 != 0, opcode: first & 0x0f, length, key })
    }
}

#[cfg(test)]
mod tests;
