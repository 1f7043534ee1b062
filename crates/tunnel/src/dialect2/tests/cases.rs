//! Single cases, each with its reason.

use std::time::Duration;

use super::peer::{ACK_0, Near, frames};
use super::rig::{CLIENT, Rig, SERVER, payload};
use crate::dialect2::wire::Frame;
use crate::dialect2::{Cut, NoResume, Over, Parted, ResetCode};
use crate::{Opcode, Role, close};

const FINISHED: [Option<Over>; 2] = [Some(Over::Finished), Some(Over::Finished)];
const SECOND: Duration = Duration::from_secs(1);
const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn rig(lens: [usize; 2]) -> Rig {
    Rig::new([payload(lens[0], 1), payload(lens[1], 2)], 1 << 20, true, 1 << 24)
}

fn ack(delivered: u64, window: u32) -> Frame {
    Frame::Ack { delivered, window }
}

#[test]
fn both_directions_full_and_both_sockets_blocked_then_one_drains() {
    for drains in [CLIENT, SERVER] {
        let mut rig = rig([3_000_000, 3_000_000]);
        rig.run(&[CLIENT, SERVER]);
        assert!(rig.ends.iter().all(|end| end.sink.is_empty() && end.read == 65_536), "full");
        rig.run(&[1 - drains]);
        assert_eq!(rig.ends[drains].sink.len(), 3_000_000, "it does not wait for the other one");
        rig.end_sources();
        rig.run(&[]);
        assert!(rig.is_whole());
        assert_eq!(rig.over(), FINISHED);
    }
}

#[test]
fn a_window_grows_for_a_fast_reader_and_not_for_a_slow_one() {
    let mut fast = rig([3_000_000, 0]);
    fast.run(&[]);
    assert_eq!(fast.ends[SERVER].session.receiving.window(), 1 << 20);
    let mut slow = rig([3_000_000, 0]);
    for _ in 0..200 {
        slow.write(CLIENT, 100_000);
        slow.write(SERVER, 100_000);
        slow.read(CLIENT, 100_000);
        slow.read(SERVER, 100_000);
        slow.drain(SERVER, 1_000);
        slow.pass(Duration::from_millis(10));
    }
    assert_eq!(slow.ends[SERVER].session.receiving.window(), 65_536);
    assert!((190_000..1_000_000).contains(&slow.ends[SERVER].sink.len()));
    let began = slow.now;
    while slow.ends[SERVER].sink.len() < 2_000_000 {
        for end in [CLIENT, SERVER] {
            slow.write(end, 1 << 20);
            slow.read(end, 1 << 20);
        }
        slow.drain(SERVER, 1 << 20);
        slow.pass(Duration::from_millis(1));
    }
    let (grown, took) = (slow.ends[SERVER].session.receiving.window(), slow.now - began);
    assert!(grown == 1 << 20 && took < Duration::from_millis(500), "no longer slow: {grown} after {took:?}");
}

#[test]
fn a_sender_that_leaves_the_last_third_of_a_window_has_used_it() {
    for (sent, window) in [(65_536, 131_072), (65_360, 131_072), (43_691, 131_072), (43_690, 65_536)] {
        let mut near = Near::open(Role::Server, true);
        near.data(&[7; 20_000]);
        near.deliver();
        assert!(near.control().ping, "with the ACK of a quarter");
        near.data(&vec![7; sent - 20_000]);
        near.deliver();
        near.websocket(Opcode::Pong, b"");
        assert_eq!(near.session.receiving.window(), window, "{sent}");
    }
}

#[test]
fn the_first_frame_is_an_ack_or_nothing_is_delivered() {
    for role in ROLES {
        let mut near = Near::new(role, true);
        assert_eq!(near.data(b"\x01leak"), b"");
        assert_eq!(near.session.over(), Some(Over::Violated("first frame is not an ACK")));
        let wrote = near.control();
        assert_eq!((wrote.messages, wrote.close), (frames(&[ACK_0]).messages, Some(close::PROTOCOL)));
        assert_eq!(near.session.received(), 0);
    }
    let mut raw = Near::new(Role::Server, true);
    raw.websocket(Opcode::Binary, b"SELECT 1"); // what dialect 1 would send
    assert!(matches!(raw.session.over(), Some(Over::Violated(_))));
    let mut empty = Near::new(Role::Server, true);
    empty.websocket(Opcode::Binary, b"");
    empty.websocket(Opcode::Ping, b"");
    empty.frame(&ACK_0);
    assert_eq!(empty.session.over(), None, "no frame at all");
}

#[test]
fn whatever_breaks_the_protocol_ends_the_session_with_1002() {
    type Breaks = fn(&mut Near);
    let table: [(&str, Breaks); 6] = [
        ("DATA beyond the window", |near| drop(near.data(&[0; 65_537]))),
        ("DATA after the end of file", |near| {
            near.frame(&Frame::Eof { total: 0 });
            near.data(b"x");
        }),
        ("EOF at a wrong position", |near| near.frame(&Frame::Eof { total: 1 })),
        ("ACK of what was not sent", |near| near.frame(&ack(1, 65_536))),
        ("frame of a wrong length", |near| near.websocket(Opcode::Binary, b"\x05")),
        ("text of a RESET is not UTF-8", |near| near.websocket(Opcode::Binary, b"\x04\0\x01\xff")),
    ];
    for (text, breaks) in table {
        let mut near = Near::open(Role::Server, true);
        breaks(&mut near);
        assert_eq!(near.session.over(), Some(Over::Violated(text)));
        assert_eq!(near.control().close, Some(close::PROTOCOL), "{text}");
        assert!(near.link.parted(&near.session, near.now).is_none(), "the answer is waited for");
        near.pass(2 * SECOND);
        assert_eq!(near.link.parted(&near.session, near.now), Some(Parted::Over(Over::Violated(text))));
    }
}

#[test]
fn close_codes_end_the_session_or_cut_the_websocket() {
    for (code, ends) in [
        (1000, false),
        (1001, false),
        (1002, true),
        (1003, true),
        (1006, true), // not a code that may be sent: a violation
        (1007, true),
        (1009, true),
        (1011, false),
        (1012, false),
        (4001, true),
        (4002, false),
        (4003, true),
        (4004, false),
    ] {
        let mut near = Near::open(Role::Client, true);
        near.websocket(Opcode::Close, &u16::to_be_bytes(code));
        assert_eq!(near.session.over().is_some(), ends, "{code}");
        assert_eq!(near.control().close, Some(if code == 1006 { 1002 } else { code }), "it is answered");
        if !ends {
            let parted = near.link.parted(&near.session, near.now);
            assert_eq!(parted, Some(Parted::Cut(Cut::Closed(code))));
        }
        assert_eq!(near.session.detach(near.now), !ends);
    }
}

#[test]
fn a_reset_is_told_with_its_code_and_then_close() {
    for (code, close) in [
        (ResetCode::LOCAL, 1011),
        (ResetCode::IDLE, 1001),
        (ResetCode::OPERATOR, 4003),
        (ResetCode::STOPPING, 1001),
        (ResetCode::PROTOCOL, 1002),
        (ResetCode(99), 1001),
    ] {
        let mut near = Near::open(Role::Server, true);
        near.session.reset(code, "why");
        let wrote = near.control();
        let reset = Frame::Reset { code: code.0, text: "why".into() };
        assert_eq!((wrote.messages, wrote.close), (frames(&[reset]).messages, Some(close)));
        assert_eq!(near.link.room(&near.session), 0);
        let mut peer = Near::open(Role::Client, true);
        peer.frame(&Frame::Reset { code: code.0, text: "why".into() });
        assert_eq!(peer.session.over(), Some(Over::ResetByPeer(code, "why".into())));
        assert_eq!(peer.control().close, Some(close::NORMAL));
    }
}

#[test]
fn silence_is_asked_about_and_then_death() {
    let mut near = Near::open(Role::Server, true);
    near.pass(Duration::from_millis(24_999));
    assert!(!near.control().ping);
    assert_eq!(near.link.deadline(), near.now + Duration::from_millis(1));
    near.pass(Duration::from_millis(1));
    assert!(near.control().ping && !near.control().ping);
    near.pass(19 * SECOND);
    near.websocket(Opcode::Pong, b"");
    near.pass(25 * SECOND);
    assert!(near.control().ping, "it was alive");
    near.pass(19 * SECOND);
    near.data(b"x"); // any byte will do
    near.pass(2 * SECOND);
    assert_eq!(near.link.parted(&near.session, near.now), None);
    near.pass(23 * SECOND);
    assert!(near.control().ping);
    near.pass(20 * SECOND);
    let parted = near.link.parted(&near.session, near.now);
    assert_eq!(parted, Some(Parted::Cut(Cut::Silent)));
    assert!(near.session.detach(near.now), "the session is not dead");
}

#[test]
fn a_session_that_nobody_confirmed_is_not_kept_for_long() {
    let grace = 120 * SECOND;
    let mut near = Near::new(Role::Server, true);
    assert_eq!(near.session.expires(grace), None);
    assert!(!near.session.is_confirmed() && near.session.detach(near.now));
    assert_eq!(near.session.expires(grace), Some(near.now + 10 * SECOND));
    near.link = near.session.resume(0, 1, near.now).unwrap();
    near.frame(&ACK_0);
    near.session.detach(near.now);
    assert_eq!(near.session.expires(grace), Some(near.now + grace));
}

#[test]
fn attempts_rise_and_positions_are_within_what_is_held() {
    let mut near = Near::open(Role::Server, true);
    near.send(&[7; 100]);
    near.frame(&ack(40, 65_536));
    for (received, attempt, expected) in [
        (39, 5, Err(NoResume::Gone)),
        (101, 5, Err(NoResume::Gone)),
        (40, 3, Ok(())),
        (60, 2, Err(NoResume::Stale)),
        (60, 3, Ok(())), // a balancer's repeat
        (100, 7, Ok(())),
        (100, 3, Err(NoResume::Stale)),
        (99, 7, Err(NoResume::Gone)),
    ] {
        let link = near.session.resume(received, attempt, near.now);
        assert_eq!(link.map(drop), expected, "{received} {attempt}");
    }
    let mut once = Near::open(Role::Server, false);
    assert!(once.session.resume(0, 1, once.now).is_err());
    assert!(!once.session.detach(once.now));
    assert_eq!(once.session.over(), Some(Over::Cut));
}

#[test]
fn an_ack_rides_in_front_of_data_and_otherwise_waits() {
    let mut near = Near::open(Role::Client, true);
    assert_eq!(near.data(b"hello"), b"hello");
    near.deliver();
    assert_eq!(near.control(), frames(&[]));
    let wrote = near.send(b"you");
    assert_eq!(wrote.messages[..1], frames(&[ack(5, 65_536)]).messages);
    assert_eq!(wrote.messages[1], b"\x01you");
    near.data(b"!");
    near.deliver();
    assert_eq!(near.link.ack_deadline(&near.session), Some(near.now + Duration::from_millis(20)));
    near.pass(Duration::from_millis(20));
    assert_eq!(near.control(), frames(&[ack(6, 65_536)]));
}

#[test]
fn only_the_latest_of_many_pings_is_answered() {
    let mut near = Near::open(Role::Server, true);
    for _ in 0..1000 {
        near.websocket(Opcode::Ping, b"?");
    }
    let bytes = near.link.control(&mut near.session, near.now).unwrap();
    assert_eq!(bytes, [0x8a, 1, b'?']);
}

#[test]
fn go_away_is_passed_on_once() {
    let mut near = Near::open(Role::Server, true);
    near.link.go_away(60);
    assert_eq!(near.control(), frames(&[Frame::GoAway { seconds: 60 }]));
    let mut peer = Near::open(Role::Client, true);
    peer.frame(&Frame::GoAway { seconds: 60 });
    assert_eq!((peer.link.told_to_go(), peer.link.told_to_go()), (Some(60 * SECOND), None));
}

#[test]
fn while_an_upgrade_is_under_way_no_more_is_confirmed_than_it_reports() {
    let mut near = Near::open(Role::Client, true);
    near.data(b"hello");
    assert_eq!(near.session.begin_upgrade(), 5);
    near.data(b", world");
    near.deliver();
    near.pass(SECOND);
    assert_eq!(near.control(), frames(&[ack(5, 65_536)]));
    near.pass(SECOND);
    assert_eq!((near.control(), near.link.ack_deadline(&near.session)), (frames(&[]), None));
    let mut link = near.session.resumed(0, near.now).unwrap();
    near.link.retire();
    std::mem::swap(&mut near.link, &mut link);
    assert_eq!(near.control(), frames(&[ack(12, 65_536)]));
    near.frame(&ACK_0);
    assert_eq!(near.data(b", world!"), b"!", "from where the upgrade said");
}

#[test]
fn what_is_finished_while_an_upgrade_is_under_way_is_confirmed_to_its_end() {
    let mut near = Near::open(Role::Client, true);
    near.session.end_of_file();
    near.control();
    near.frame(&ack(1, 65_536));
    assert_eq!(near.session.begin_upgrade(), 0);
    near.frame(&Frame::Eof { total: 0 });
    near.session.shut_down(near.now);
    assert_eq!(near.session.over(), Some(Over::Finished));
    let wrote = near.control();
    assert_eq!((wrote.messages, wrote.close), (frames(&[ack(1, 65_536)]).messages, Some(1000)));
}

#[test]
fn a_stop_is_told_by_a_resume_and_by_a_client_alone() {
    for (role, kept) in [(Role::Client, true), (Role::Server, false)] {
        let mut near = Near::open(role, true);
        near.data(b"hello");
        near.session.reset(ResetCode::STOPPING, "");
        assert_eq!(near.session.detach(near.now), kept);
        if role == Role::Server {
            assert_eq!(near.session.resume(0, 1, near.now).err(), Some(NoResume::Gone));
            continue;
        }
        assert_eq!(near.session.begin_upgrade(), 5);
        near.link = near.session.resumed(0, near.now).unwrap();
        let reset = Frame::Reset { code: ResetCode::STOPPING.0, text: String::new() };
        assert_eq!(near.control().messages, frames(&[ack(0, 65_536), reset]).messages);
    }
}

#[test]
fn a_lost_last_ack_ends_the_stream_cleanly() {
    let mut near = Near::open(Role::Client, true);
    near.session.end_of_file();
    assert_eq!(near.control(), frames(&[Frame::Eof { total: 0 }]));
    near.frame(&Frame::Eof { total: 0 });
    near.session.shut_down(near.now);
    assert_eq!(near.control(), frames(&[ack(1, 65_536)]));
    near.link.end_of_stream();
    assert_eq!(near.link.parted(&near.session, near.now), Some(Parted::Cut(Cut::Eof)));
    assert!(near.session.detach(near.now));
    near.session.begin_upgrade();
    near.session.refused(NoResume::Finished);
    assert_eq!(near.session.over(), Some(Over::Finished));

    let mut missing = Near::open(Role::Client, true);
    missing.session.end_of_file();
    missing.session.refused(NoResume::Finished);
    assert_eq!(missing.session.over(), Some(Over::Refused), "it lacks the server's end of file");
}

#[test]
fn a_finished_end_closes_with_1000_and_waits_two_seconds() {
    let mut near = Near::open(Role::Server, false);
    near.session.end_of_file();
    near.control();
    near.frame(&Frame::Eof { total: 0 });
    near.frame(&ack(1, 65_536));
    assert_eq!(near.session.over(), None);
    near.session.shut_down(near.now);
    let wrote = near.control();
    assert_eq!((wrote.messages, wrote.close), (frames(&[ack(1, 65_536)]).messages, Some(close::NORMAL)));
    assert_eq!(near.link.deadline(), near.now + 2 * SECOND);
    assert_eq!(near.link.parted(&near.session, near.now), None);
    near.websocket(Opcode::Close, b"\x03\xe8");
    assert_eq!(near.link.parted(&near.session, near.now), Some(Parted::Over(Over::Finished)));
}

#[test]
fn unseen_bytes_get_the_head_of_a_frame() {
    let mut near = Near::open(Role::Server, false);
    let mut frame = near.link.data_unseen(&mut near.session, 60_000, near.now);
    frame.resize(frame.len() + 60_000, 7);
    let wrote = near.wrote(frame);
    assert_eq!((wrote.messages.len(), wrote.messages[0].len(), near.session.sent()), (1, 60_001, 60_000));
}
