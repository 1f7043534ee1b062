use super::*;
use crate::Decoder;

/// What a parser makes of messages that come in pieces of `size` bytes.
fn parse(messages: &[&[u8]], size: usize) -> Result<(Vec<Frame>, Vec<u8>), Fault> {
    let mut parser = Parser::default();
    let (mut frames, mut data) = (Vec::new(), Vec::new());
    for message in messages {
        for piece in message.chunks(size) {
            let skip = parser.piece(piece)?;
            data.extend_from_slice(&piece[skip..]);
        }
        frames.extend(parser.end()?);
    }
    Ok((frames, data))
}

#[test]
fn frames_are_read_in_pieces_of_any_size() {
    type Row = (&'static [u8], Result<Option<Frame>, Fault>);
    let table: &[Row] = &[
        (b"", Ok(None)),
        (&[2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0], Ok(Some(Frame::Ack { delivered: 258, window: 65536 }))),
        (&[2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0], Err(Fault::Length)),
        (&[2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0], Err(Fault::Length)),
        (&[2], Err(Fault::Length)),
        (&[3, 0, 0, 0, 0, 0, 0, 0, 7], Ok(Some(Frame::Eof { total: 7 }))),
        (&[3, 0, 0, 0, 0, 0, 0, 0], Err(Fault::Length)),
        (&[3], Err(Fault::Length)),
        (b"\x04\0\x09gr\xc3\xbc\xc3\x9fe", Ok(Some(Frame::Reset { code: 9, text: "grüße".into() }))),
        (&[4, 0, 1], Ok(Some(Frame::Reset { code: 1, text: String::new() }))),
        (&[4, 0], Err(Fault::Length)),
        (&[4, 0, 1, 0xff], Err(Fault::Text)),
        (&[4; 1 + 122], Ok(Some(Frame::Reset { code: 0x404, text: "\u{4}".repeat(120) }))),
        (&[4; 1 + 123], Err(Fault::Length)),
        (&[5, 0, 0, 0, 60], Ok(Some(Frame::GoAway { seconds: 60 }))),
        (&[5, 0, 0, 60], Err(Fault::Length)),
        (&[1], Err(Fault::Length)),
        (&[0], Ok(None)),
        (&[6; 1000], Ok(None)),
    ];
    for (message, frame) in table {
        for size in 1..=message.len().max(1) {
            let expected = frame.clone().map(|frame| (Vec::from_iter(frame), Vec::new()));
            assert_eq!(parse(&[message], size), expected, "{message:?} by {size}");
            if let Ok(Some(frame)) = frame {
                assert_eq!(frame.message(), *message);
            }
        }
    }
}

#[test]
fn data_is_given_as_it_comes() {
    for size in 1..8 {
        let messages: &[&[u8]] = &[b"\x01ab", b"\x07no", b"\x01\x01", b"\x05\0\0\0\x01", b"\x01cde"];
        let expected = (vec![Frame::GoAway { seconds: 1 }], b"ab\x01cde".to_vec());
        assert_eq!(parse(messages, size), Ok(expected), "by {size}");
    }
    let longest = vec![DATA; 1 + MAX_DATA];
    assert_eq!(parse(&[&longest], 100_000).map(|(_, data)| data.len()), Ok(MAX_DATA));
    assert_eq!(parse(&[&vec![DATA; 2 + MAX_DATA]], 100_000), Err(Fault::Length));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let text = "ü".repeat(61);
    let frames =
        parse(&[&Frame::Reset { code: 1, text: text.clone() }.message()], 200).map(|(frames, _)| frames);
    assert_eq!(frames, Ok(vec![Frame::Reset { code: 1, text: text[..120].into() }]));
    let odd = format!("a{text}");
    assert_eq!(Frame::Reset { code: 1, text: odd }.message().len(), 3 + 119);
}

#[test]
fn an_ack_and_a_data_frame_fit_before_the_bytes() {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        for len in [1, 124, 125, 65_534, 65_535, MAX_DATA] {
            let mut buffer = vec![7; DATA_ROOM + len];
            let mut start = put_data(&mut buffer, len, role);
            let mut ack = Vec::new();
            Frame::Ack { delivered: 1, window: 2 }.put(role, &mut ack);
            start -= ack.len();
            buffer[start..start + ack.len()].copy_from_slice(&ack);
            let mut decoder = Decoder::new(peer);
            let first = decoder.decode_message(&mut buffer[start..]);
            assert_eq!(first.taken, ack.len());
            let data = decoder.decode_message(&mut buffer[start + first.taken..]);
            assert!(data.message_end && data.pieces[0].len() == 1 + len);
            assert!(buffer[DATA_ROOM..].iter().all(|byte| *byte == 7));
        }
    }
}
