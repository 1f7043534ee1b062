//! Frame headers (RFC 6455 section 5.2).
//!
//! ```text
//!  byte 0        FIN(1) RSV1-3(3) opcode(4)
//!  byte 1        MASK(1) length(7): 0-125 itself, 126: u16 follows, 127: u64 follows
//!  0, 2 or 8     length, big-endian, in the shortest form
//!  0 or 4        masking key, from client to server only
//! ```

use relay::Side;

use crate::mask;

/// The longest header: two bytes, a 64-bit length, a masking key. A buffer that is read into behind so
/// much room takes its header without a move.
pub const HEAD_ROOM: usize = 14;

/// The longest frame that is taken (1 GiB); above, the connection is closed with 1009.
pub const MAX_FRAME: u64 = 1 << 30;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// Which end of the WebSocket we are. Clients mask what they send, servers do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent the upgrade request.
    Client,
    /// We answered it.
    Server,
}

impl Role {
    /// The side on which the local socket is: a client's has connected to us, a server's is the backend.
    pub fn local(self) -> Side {
        match self {
            Self::Client => Side::Client,
            Self::Server => Side::Backend,
        }
    }

    /// The side on which the WebSocket is.
    pub fn peer(self) -> Side {
        match self {
            Self::Client => Side::Backend,
            Self::Server => Side::Client,
        }
    }

    /// A fresh, unpredictable masking key (RFC 6455 section 10.3), or none for a server.
    pub(crate) fn key(self) -> Option<[u8; 4]> {
        match self {
            Self::Client => Some(rand::random()),
            Self::Server => None,
        }
    }
}

/// The opcodes of RFC 6455 section 5.2 that may occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// The first fragment of a binary message.
    Binary = 0x2,
    /// The end of the WebSocket.
    Close = 0x8,
    /// Asks for a pong with the same payload.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

/// Makes one final frame of `buffer[HEAD_ROOM..HEAD_ROOM + len]`: writes the header right before the
/// payload, masks it if we are the client, and returns where the frame starts.
///
/// # Panics
/// If the buffer is shorter than the head room and `len` together.
pub fn put_header(buffer: &mut [u8], len: usize, opcode: Opcode, role: Role) -> usize {
    put_header_with(buffer, len, opcode, role.key())
}

/// The same with a given masking key, or none.
pub(crate) fn put_header_with(buffer: &mut [u8], len: usize, opcode: Opcode, key: Option<[u8; 4]>) -> usize {
    if let Some(key) = key {
        mask::apply(&mut buffer[HEAD_ROOM..HEAD_ROOM + len], key, 0);
    }
    put_header_only(buffer, len, opcode, key)
}

/// The same before a payload that is masked already.
pub(crate) fn put_header_only(buffer: &mut [u8], len: usize, opcode: Opcode, key: Option<[u8; 4]>) -> usize {
    let mut header = [0; HEAD_ROOM];
    let mut have = 2;
    let mut add = |bytes: &[u8]| {
        header[have..have + bytes.len()].copy_from_slice(bytes);
        have += bytes.len();
    };
    let short = match len {
        0..=125 => len as u8,
        126..=0xffff => {
            add(&(len as u16).to_be_bytes());
            126
        }
        _ => {
            add(&(len as u64).to_be_bytes());
            127
        }
    };
    if let Some(key) = key {
        add(&key);
    }
    header[0] = 0x80 | opcode as u8;
    header[1] = if key.is_some() { 0x80 } else { 0 } | short;
    let start = HEAD_ROOM - have;
    buffer[start..HEAD_ROOM].copy_from_slice(&header[..have]);
    start
}

/// A whole control frame. A payload above 125 bytes is cut: none of ours is that long.
pub fn encode_control(opcode: Opcode, payload: &[u8], role: Role) -> Vec<u8> {
    let payload = &payload[..payload.len().min(MAX_CONTROL)];
    let mut frame = vec![0; HEAD_ROOM];
    frame.extend_from_slice(payload);
    let start = put_header(&mut frame, payload.len(), opcode, role);
    frame.drain(..start);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_headers_are_the_shortest_form() {
        for (len, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (0xffff, &[0x82, 126, 0xff, 0xff]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut buffer = vec![7; HEAD_ROOM + len];
            let start = put_header(&mut buffer, len, Opcode::Binary, Role::Server);
            assert_eq!(&buffer[start..HEAD_ROOM], header);
            assert!(buffer[HEAD_ROOM..].iter().all(|b| *b == 7), "the payload is left alone");
        }
    }

    #[test]
    fn client_frames_are_masked_with_the_key_they_carry() {
        let mut buffer = vec![0; HEAD_ROOM + 5];
        buffer[HEAD_ROOM..].copy_from_slice(b"hello");
        let start = put_header(&mut buffer, 5, Opcode::Binary, Role::Client);
        let frame = &mut buffer[start..];
        assert_eq!(frame[..2], [0x82, 0x85]);
        let key = [frame[2], frame[3], frame[4], frame[5]];
        mask::apply(&mut frame[6..], key, 0);
        assert_eq!(&frame[6..], b"hello");
    }

    #[test]
    fn keys_are_not_repeated() {
        let ping = || encode_control(Opcode::Ping, b"", Role::Client);
        let (a, b, c) = (ping(), ping(), ping());
        assert!(a != b || b != c, "three equal keys in a row do not happen by chance");
    }
}
