use std::io::{self, Cursor, Read, Write};

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::*;
use crate::frame::{Opcode, encode_control, put_header};

/// A frame as a test wants it on the wire, however wrong.
#[derive(Clone, Debug)]
struct Raw {
    first: u8,
    key: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl Raw {
    fn bytes(&self) -> Vec<u8> {
        let mask = if self.key.is_some() { 0x80 } else { 0 };
        let mut out = vec![self.first];
        match self.payload.len() {
            n @ 0..=125 => out.push(mask | n as u8),
            n @ 126..=0xffff => {
                out.push(mask | 126);
                out.extend((n as u16).to_be_bytes());
            }
            n => {
                out.push(mask | 127);
                out.extend((n as u64).to_be_bytes());
            }
        }
        out.extend(self.key.iter().flatten());
        let start = out.len();
        out.extend(&self.payload);
        if let Some(key) = self.key {
            mask::apply(&mut out[start..], key, 0);
        }
        out
    }
}

/// Everything a decoder makes of a stream that comes in `chunks`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    payload: Vec<u8>,
    pings: usize,
    end: Option<End>,
    boundary: bool,
}

fn decode_in(role: Role, stream: &[u8], chunk: impl Fn(usize) -> usize) -> Seen {
    let mut decoder = Decoder::new(role);
    let mut seen = Seen::default();
    let (mut at, mut turn) = (0, 0);
    while at < stream.len() && seen.end.is_none() {
        let n = chunk(turn).clamp(1, stream.len() - at);
        let mut bytes = stream[at..at + n].to_vec();
        let mut taken = 0;
        while taken < n && seen.end.is_none() {
            let found = decoder.decode(&mut bytes[taken..]);
            for piece in &found.pieces {
                seen.payload.extend_from_slice(&bytes[taken..][piece.clone()]);
            }
            seen.pings += usize::from(found.ping.is_some());
            seen.end = found.end;
            assert!(found.taken > 0 || found.end.is_some(), "no progress");
            taken += found.taken;
        }
        at += n;
        turn += 1;
    }
    seen.boundary = decoder.at_boundary();
    seen
}

fn whole(role: Role, stream: &[u8]) -> Seen {
    decode_in(role, stream, |_| usize::MAX)
}

#[test]
fn the_end_of_a_message_is_told_wherever_the_bytes_are_split() {
    let k = Some([1, 2, 3, 4]);
    let frame = |first: u8, payload: &[u8]| Raw { first, key: k, payload: payload.to_vec() }.bytes();
    let stream = [
        frame(0x82, b"one"),
        frame(0x82, b""),
        frame(0x02, b"tw"),
        frame(0x89, b"?"),
        frame(0x00, b"o"),
        frame(0x80, b""),
        frame(0x8a, b""),
        frame(0x82, b"three"),
    ]
    .concat();
    for size in 1..=stream.len() {
        let mut decoder = Decoder::new(Role::Server);
        let (mut messages, mut message, mut controls) = (Vec::new(), Vec::new(), (0, 0));
        for chunk in stream.chunks(size) {
            let (mut bytes, mut at) = (chunk.to_vec(), 0);
            while at < bytes.len() {
                let found = decoder.decode_message(&mut bytes[at..]);
                found.pieces.iter().for_each(|p| message.extend_from_slice(&bytes[at..][p.clone()]));
                at += found.taken;
                controls.0 += usize::from(found.ping.is_some());
                controls.1 += usize::from(found.pong);
                if found.message_end {
                    messages.push(std::mem::take(&mut message));
                }
            }
        }
        assert_eq!(
            (messages, controls),
            (vec![b"one".to_vec(), vec![], b"two".to_vec(), b"three".to_vec()], (1, 1))
        );
    }
}

#[test]
fn frames_are_judged_as_the_rfc_says() {
    let k = Some([1, 2, 3, 4]);
    let frame = |first: u8, key, payload: &[u8]| Raw { first, key, payload: payload.to_vec() }.bytes();
    let v = |violation| Some(End::Violation(violation));
    let server = Role::Server;
    type Row = (&'static str, Role, Vec<u8>, &'static [u8], Option<End>);
    let table: &[Row] = &[
        ("binary", server, frame(0x82, k, b"hi"), b"hi", None),
        ("empty binary", server, frame(0x82, k, b""), b"", None),
        ("from a server", Role::Client, frame(0x82, None, b"hi"), b"hi", None),
        (
            "fragments",
            server,
            [frame(2, k, b"a"), frame(0, k, b"b"), frame(0x80, k, b"c")].concat(),
            b"abc",
            None,
        ),
        (
            "ping between fragments",
            server,
            [frame(2, k, b"a"), frame(0x89, k, b"?"), frame(0x80, k, b"c")].concat(),
            b"ac",
            None,
        ),
        ("pong", server, frame(0x8a, k, b"x"), b"", None),
        ("close", server, frame(0x88, k, b"\x03\xe8"), b"", Some(End::Close(1000))),
        ("close without code", server, frame(0x88, k, b""), b"", Some(End::Close(1005))),
        (
            "nothing after a close",
            server,
            [frame(0x88, k, b""), frame(0x82, k, b"late")].concat(),
            b"",
            Some(End::Close(1005)),
        ),
        ("unmasked from a client", server, frame(0x82, None, b"hi"), b"", v(Violation::Unmasked)),
        ("masked from a server", Role::Client, frame(0x82, k, b"hi"), b"", v(Violation::Masked)),
        ("RSV1", server, frame(0xc2, k, b"hi"), b"", v(Violation::ReservedBits)),
        ("RSV2", server, frame(0xa2, k, b"hi"), b"", v(Violation::ReservedBits)),
        ("RSV3", server, frame(0x92, k, b"hi"), b"", v(Violation::ReservedBits)),
        ("text", server, frame(0x81, k, b"hi"), b"", v(Violation::Text)),
        ("opcode 3", server, frame(0x83, k, b"hi"), b"", v(Violation::UnknownOpcode)),
        ("opcode 11", server, frame(0x8b, k, b"hi"), b"", v(Violation::UnknownOpcode)),
        ("loose continuation", server, frame(0x80, k, b"hi"), b"", v(Violation::LooseContinuation)),
        (
            "message in a message",
            server,
            [frame(2, k, b"a"), frame(0x82, k, b"b")].concat(),
            b"a",
            v(Violation::Interleaved),
        ),
        ("fragmented ping", server, frame(0x09, k, b""), b"", v(Violation::FragmentedControl)),
        ("long ping", server, frame(0x89, k, &[0; 126]), b"", v(Violation::LongControl)),
        ("close of one byte", server, frame(0x88, k, b"\x03"), b"", v(Violation::CloseLength)),
        ("close code 1005", server, frame(0x88, k, b"\x03\xed"), b"", v(Violation::CloseCode)),
        ("reason no UTF-8", server, frame(0x88, k, b"\x03\xe8\xc3"), b"", v(Violation::CloseReason)),
        ("125 in 16 bits", server, vec![0x82, 0xfe, 0, 125, 1, 2, 3, 4], b"", v(Violation::LongLength)),
        (
            "65535 in 64 bits",
            server,
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4],
            b"",
            v(Violation::LongLength),
        ),
        (
            "1 GiB and a byte",
            server,
            vec![0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 1, 1, 2, 3, 4],
            b"",
            v(Violation::TooBig),
        ),
        ("all bits of length", server, [&[0x82][..], &[0xff; 13]].concat(), b"", v(Violation::TooBig)),
        ("exactly 1 GiB", server, vec![0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4], b"", None),
    ];
    for (name, role, stream, payload, end) in table {
        let seen = whole(*role, stream);
        assert_eq!((seen.payload.as_slice(), seen.end), (*payload, *end), "{name}");
        assert_eq!(decode_in(*role, stream, |_| 1), seen, "{name}, a byte at a time");
    }
}

#[test]
fn an_end_within_a_frame_or_message_is_no_boundary() {
    let frame = |first: u8| Raw { first, key: None, payload: b"abc".to_vec() }.bytes();
    for (name, stream, boundary) in [
        ("nothing", vec![], true),
        ("a message", frame(0x82), true),
        ("a header's byte", vec![0x82], false),
        ("part of a payload", frame(0x82)[..4].to_vec(), false),
        ("a fragment", frame(0x02), false),
        ("all fragments", [frame(0x02), frame(0x80)].concat(), true),
        ("part of a ping", frame(0x89)[..3].to_vec(), false),
    ] {
        assert_eq!(whole(Role::Client, &stream).boundary, boundary, "{name}");
    }
}

#[test]
fn small_fragments_are_joined_and_large_ones_left_in_place() {
    let small = Raw { first: 2, key: None, payload: vec![1; 1000] }.bytes();
    let next = Raw { first: 0, key: None, payload: vec![2; 1000] }.bytes();
    let large = Raw { first: 0, key: None, payload: vec![3; 5000] }.bytes();
    let mut chunk = [small, next, large].concat();
    let found = Decoder::new(Role::Client).decode(&mut chunk);
    assert_eq!(found.pieces.len(), 2);
    assert_eq!(found.pieces[0].len(), 2000);
    assert_eq!(found.pieces[1].len(), 5000);
}

/// What tungstenite makes of a stream: its binary payload, and whether it ended in a protocol error.
fn oracle(role: Role, stream: &[u8]) -> (Vec<u8>, bool) {
    struct Wire(Cursor<Vec<u8>>);
    impl Read for Wire {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }
    impl Write for Wire {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    // It reserves what a header announces, so it needs a bound; running into it is no refusal.
    let config = WebSocketConfig::default().max_frame_size(Some(1 << 20)).max_message_size(Some(1 << 24));
    let mut socket = WebSocket::from_raw_socket(Wire(Cursor::new(stream.to_vec())), role, Some(config));
    let mut payload = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => payload.extend_from_slice(&bytes),
            Ok(_) => {}
            Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Capacity(_)) => {
                return (payload, false);
            }
            Err(Error::Protocol(e)) => {
                use tokio_tungstenite::tungstenite::error::ProtocolError;
                let cut = matches!(e, ProtocolError::ResetWithoutClosingHandshake);
                return (payload, !cut);
            }
            Err(_) => return (payload, true),
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![8 => 0..300usize, 2 => 4000..4100usize, 1 => 65_500..65_600usize];
    (size, any::<u8>()).prop_map(|(n, seed)| (0..n).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect())
}

/// A well-formed stream: messages of one or more fragments with control frames between, and its payload.
fn stream(role: Role) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let control = prop_oneof![Just(0x89u8), Just(0x8au8)];
    let part =
        (payload(), prop::option::weighted(0.2, (control, prop::collection::vec(any::<u8>(), 0..125))));
    let message = prop::collection::vec(part, 1..5);
    (prop::collection::vec(message, 0..6), any::<[u8; 4]>()).prop_map(move |(messages, key)| {
        let key = (role == Role::Server).then_some(key);
        let (mut wire, mut plain) = (Vec::new(), Vec::new());
        for message in messages {
            let last = message.len() - 1;
            for (i, (payload, control)) in message.into_iter().enumerate() {
                if let Some((first, payload)) = control {
                    wire.extend(Raw { first, key, payload }.bytes());
                }
                let first = if i == 0 { 2 } else { 0 } | if i == last { 0x80 } else { 0 };
                plain.extend(&payload);
                wire.extend(Raw { first, key, payload }.bytes());
            }
        }
        (wire, plain)
    })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn well_formed_streams_come_out_whole_however_they_are_cut(
        (role, (wire, plain)) in role().prop_flat_map(|r| (Just(r), stream(r))),
        cuts in prop::collection::vec(1..5000usize, 1..20),
    ) {
        let seen = decode_in(role, &wire, |turn| cuts[turn % cuts.len()]);
        prop_assert_eq!(seen.end, None);
        prop_assert!(seen.boundary);
        prop_assert!(seen.payload == plain, "payload differs");
        prop_assert!(oracle(role, &wire) == (plain, false), "the oracle differs");
    }

    #[test]
    fn broken_streams_are_judged_alike_however_they_are_cut_and_by_the_oracle(
        (role, (mut wire, _)) in role().prop_flat_map(|r| (Just(r), stream(r))),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(1..200usize, 1..20),
    ) {
        prop_assume!(!wire.is_empty());
        for (at, with) in flips {
            let at = at.index(wire.len().min(40));
            wire[at] ^= with;
        }
        let seen = whole(role, &wire);
        let cut = decode_in(role, &wire, |turn| cuts[turn % cuts.len()]);
        prop_assert_eq!(seen.end, cut.end);
        prop_assert_eq!(seen.boundary, cut.boundary);
        prop_assert!(seen.payload == cut.payload);
        let (theirs, refused) = oracle(role, &wire);
        prop_assert!(seen.payload.starts_with(&theirs) || seen.end.is_some(), "we lost payload");
        match seen.end {
            None | Some(End::Close(_)) => prop_assert!(!refused, "the oracle refuses what we take"),
            // Stricter than the oracle, or judged before it has the whole frame.
            Some(End::Violation(_)) => prop_assert!(theirs.starts_with(&seen.payload)
                || seen.payload.starts_with(&theirs)),
        }
    }

    #[test]
    fn arbitrary_bytes_neither_panic_nor_multiply(role in role(), bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let seen = whole(role, &bytes);
        prop_assert!(seen.payload.len() <= bytes.len());
    }

    #[test]
    fn what_we_send_the_oracle_reads(role in role(), messages in prop::collection::vec(payload(), 0..8)) {
        let mut wire = Vec::new();
        for message in &messages {
            let mut buffer = [vec![0; HEAD_ROOM], message.clone()].concat();
            let start = put_header(&mut buffer, message.len(), Opcode::Binary, role);
            wire.extend(&buffer[start..]);
            wire.extend(encode_control(Opcode::Ping, b"still there?", role));
        }
        let reader = if role == Role::Client { Role::Server } else { Role::Client };
        prop_assert!(oracle(reader, &wire) == (messages.concat(), false));
    }
}
