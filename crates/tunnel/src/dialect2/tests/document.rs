//! The examples of docs/protocol.md, in both directions.

use http::HeaderMap;

use crate::dialect2::wire::{DATA, Frame, Parser};
use crate::frame::put_header_with;
use crate::header::{Header, TUNNEL};
use crate::session_id::SessionId;
use crate::{Decoder, HEAD_ROOM, Opcode, Role};

const DOCUMENT: &str = include_str!("../../../../../docs/protocol.md");
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The lines of all fenced blocks of a kind.
fn lines(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    let blocks = DOCUMENT.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).collect()
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The message that a line describes: DATA, or a frame and its bytes.
fn described(text: &str) -> (Option<Frame>, Vec<u8>) {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap();
    let mut number = || words.next().unwrap().parse::<u64>();
    let quoted = || text.split('"').nth(1).unwrap().to_owned();
    let small = |number: u64| u32::try_from(number).unwrap();
    let frame = match kind {
        "DATA" => return (None, [&[DATA][..], quoted().as_bytes()].concat()),
        "ACK" => Frame::Ack { delivered: number().unwrap(), window: small(number().unwrap()) },
        "EOF" => Frame::Eof { total: number().unwrap() },
        "RESET" => Frame::Reset { code: small(number().unwrap()) as u16, text: quoted() },
        "GOAWAY" => Frame::GoAway { seconds: small(number().unwrap()) },
        other => panic!("no such frame: {other}"),
    };
    let mut bytes = Vec::new();
    frame.put(Role::Server, &mut bytes);
    (Some(frame), bytes.split_off(2))
}

#[test]
fn frames_are_those_of_the_document() {
    let lines = lines("frames");
    assert_eq!(lines.len(), 7, "they are found");
    for line in lines {
        let [text, server, client] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (frame, message) = described(text);
        for (peer, key, bytes) in [(Role::Client, None, hex(server)), (Role::Server, Some(KEY), hex(client))]
        {
            let mut written = [&[0; HEAD_ROOM][..], &message].concat();
            let start = put_header_with(&mut written, message.len(), Opcode::Binary, key);
            assert_eq!(written[start..], bytes, "{line}");

            let mut read = bytes.clone();
            let found = Decoder::new(peer).decode_message(&mut read);
            let mut parser = Parser::default();
            let piece = &read[found.pieces[0].clone()];
            let skip = parser.piece(piece).unwrap();
            assert_eq!(parser.end().unwrap(), frame, "{line}");
            let data = if frame.is_none() { &message[1..] } else { &[] };
            assert_eq!(&piece[skip..], data, "{line}");
        }
    }
}

#[test]
fn headers_are_those_of_the_document() {
    let lines = lines("header");
    assert_eq!(lines.len(), 7, "they are found");
    for line in lines {
        let headers = HeaderMap::from_iter([(TUNNEL, line.parse().unwrap())]);
        let header = Header::of(&headers).unwrap().expect("ours");
        assert_eq!(header.to_value(), line);
    }
}

#[test]
fn a_session_is_shown_as_in_the_document() {
    let lines = lines("session");
    assert_eq!(lines.len(), 1, "it is found");
    let (id, shown) = lines[0].split_once(' ').unwrap();
    assert_eq!(id.parse::<SessionId>().unwrap().hash().to_string(), shown);
}
