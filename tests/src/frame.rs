//! WebSocket frames by hand, the wrong ones too (RFC 6455 section 5.2).
//!
//! ```text
//! byte 0: FIN 0x80, reserved 0x70, opcode 0x0f   byte 1: MASK 0x80, length 0..=125 | 126 | 127
//! then 2 or 8 bytes of length, 4 bytes of mask if MASK, the payload
//! ```

use std::io::{self, Read};

/// Opcodes.
pub const CONTINUATION: u8 = 0;
/// Text.
pub const TEXT: u8 = 1;
/// Binary.
pub const BINARY: u8 = 2;
/// Close.
pub const CLOSE: u8 = 8;
/// Ping.
pub const PING: u8 = 9;
/// Pong.
pub const PONG: u8 = 10;

/// A frame, as it is to be sent or as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode, as on the wire.
    pub first: u8,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
    /// Whether it is masked on the wire.
    pub masked: bool,
}

impl Frame {
    /// A whole message or control frame, masked as a client does.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Frame {
        Frame { first: 0x80 | opcode, payload: payload.into(), masked: true }
    }

    /// A binary message.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Frame {
        Frame::new(BINARY, payload)
    }

    /// A Close with a code and a reason.
    pub fn close(code: u16, reason: &[u8]) -> Frame {
        Frame::new(CLOSE, [&code.to_be_bytes(), reason].concat())
    }

    /// The same without FIN: more fragments follow.
    pub fn unfinished(mut self) -> Frame {
        self.first &= 0x7f;
        self
    }

    /// The same without a mask, as a server sends it.
    pub fn unmasked(mut self) -> Frame {
        self.masked = false;
        self
    }

    /// The same with other bits set in the first byte.
    pub fn bits(mut self, bits: u8) -> Frame {
        self.first |= bits;
        self
    }

    /// The opcode.
    pub fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// The code of a Close frame that has one.
    pub fn close_code(&self) -> Option<u16> {
        let bytes = self.payload.get(..2)?.try_into().ok()?;
        (self.opcode() == CLOSE).then(|| u16::from_be_bytes(bytes))
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = header(self.first, self.payload.len() as u64, self.masked);
        let start = wire.len();
        wire.extend_from_slice(&self.payload);
        if self.masked {
            apply_mask(&mut wire[start..]);
        }
        wire
    }

    /// Reads a frame; `None` at an end between frames.
    ///
    /// # Errors
    /// What reading says; an end within a frame is [`io::ErrorKind::UnexpectedEof`].
    pub fn read(reader: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut first = [0];
        if reader.read(&mut first)? == 0 {
            return Ok(None);
        }
        let second = read_array::<1>(reader)?[0];
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(read_array(reader)?)),
            127 => u64::from_be_bytes(read_array(reader)?),
            short => u64::from(short),
        };
        let masked = second & 0x80 != 0;
        let mask: [u8; 4] = if masked { read_array(reader)? } else { [0; 4] };
        let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        reader.read_exact(&mut payload)?;
        if masked {
            xor(&mut payload, mask);
        }
        Ok(Some(Frame { first: first[0], payload, masked }))
    }
}

/// A frame header alone, for lengths that are not meant.
pub fn header(first: u8, length: u64, masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut wire = vec![first];
    if length <= 125 {
        wire.push(bit | length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        wire.push(bit | 126);
        wire.extend(length.to_be_bytes());
    } else {
        wire.push(bit | 127);
        wire.extend(length.to_be_bytes());
    }
    if masked {
        wire.extend(MASK);
    }
    wire
}

/// Any mask does; this one has no zero byte and no two equal.
const MASK: [u8; 4] = [0x9d, 0x3b, 0xe6, 0x57];

/// Masks, or unmasks, from the start of a frame's payload.
pub fn apply_mask(payload: &mut [u8]) {
    xor(payload, MASK);
}

/// Eight bytes at a time: tests carry hundreds of megabytes in unoptimised builds.
fn xor(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask, mask].concat().try_into().expect("four and four bytes are eight"));
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let value = u64::from_ne_bytes((&*chunk).try_into().expect("a chunk has eight bytes")) ^ wide;
        chunk.copy_from_slice(&value.to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

fn read_array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
