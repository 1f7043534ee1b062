use super::*;
use crate::identity::{Caller, Known};

fn owner(user: &str) -> Owner {
    let caller = Caller { user: user.to_owned(), ..Caller::default() };
    Owner::from(&Known { caller, ..Known::default() })
}

fn hash(number: u8) -> SessionHash {
    SessionHash([number; 32])
}

fn new(number: u8, user: &str, destination: &str) -> New<u8> {
    let grace = Duration::from_secs(60);
    New { hash: hash(number), owner: owner(user), destination: destination.to_owned(), line: number, grace }
}

fn held(sessions: usize, bytes: usize) -> Held<u8> {
    Held::new(Caps { sessions, bytes })
}

#[test]
fn a_session_is_found_by_who_it_belongs_to_until_it_is_buried() {
    let held = held(10, 100);
    let entry = held.enter(new(1, "alice", "mysql"));
    let now = Instant::now();
    let find = |number, user, destination| held.find(hash(number), &owner(user), destination, now);
    assert_eq!(find(1, "alice", "mysql"), Ok(1));
    assert_eq!(find(1, "bob", "mysql"), Err(NotFound::Foreign));
    assert_eq!(find(1, "alice", "ssh"), Err(NotFound::Foreign));
    assert_eq!(find(2, "alice", "mysql"), Err(NotFound::Unknown));
    for _ in 0..4 {
        assert_eq!(find(1, "alice", "mysql"), Ok(1), "what others ask does not count");
    }
    assert_eq!(find(1, "alice", "mysql"), Err(NotFound::TooOften));
    assert!(held.knows(hash(1), now) && !held.knows(hash(2), now));
    let gone = entry.bury(End::Finished);
    assert!(!gone.is_cancelled());
    assert_eq!(find(1, "alice", "mysql"), Err(NotFound::Over(End::Finished)));
    assert!(held.knows(hash(1), now));
    drop(held.enter(new(3, "alice", "mysql")));
    assert_eq!(find(3, "alice", "mysql"), Err(NotFound::Unknown), "what never began is not remembered");
}

#[test]
fn a_user_has_a_quarter_and_its_longest_goes_first() {
    let held = held(8, 1000);
    let entries: Vec<_> = (1..=3).map(|number| held.enter(new(number, "alice", "mysql"))).collect();
    let ended = |at: usize| entries[at].told_to_end().is_cancelled();
    assert!(entries[0].detach(10) && entries[1].detach(10));
    entries[0].attach();
    assert!(entries[0].detach(10), "it is the younger one now");
    assert!(entries[2].detach(10));
    assert_eq!([ended(0), ended(1), ended(2)], [false, true, false]);
    let other = held.enter(new(4, "bob", "mysql"));
    assert!(other.detach(250));
    assert!(!entries[1].detach(251), "more than a quarter of the bytes, whoever goes");
    assert_eq!([ended(0), ended(2), other.told_to_end().is_cancelled()], [false, false, false]);
}

#[test]
fn who_finds_no_room_ends_and_nobody_else_is_told() {
    let held = held(2, 1000);
    let alice = held.enter(new(1, "alice", "x"));
    let nobody = held.enter(new(2, "", "x"));
    assert!(alice.detach(1) && nobody.detach(1));
    for user in ["bob", ""] {
        assert!(!held.enter(new(3, user, "x")).detach(1), "{user:?}");
    }
    assert!(!alice.told_to_end().is_cancelled() && !nobody.told_to_end().is_cancelled());
    drop(nobody);
    assert!(held.enter(new(3, "bob", "x")).detach(1), "there is room again");
    let none = super::Held::new(Caps { sessions: 0, bytes: 1000 });
    assert!(!none.enter(new(1, "alice", "x")).detach(0));
}

#[test]
fn a_user_who_is_stopped_by_a_limit_gives_up_the_longest_one_there() {
    let held = held(100, 1000);
    let entries =
        [(1, "mysql"), (2, "ssh"), (3, "mysql")].map(|(number, to)| held.enter(new(number, "alice", to)));
    let nobody = held.enter(new(4, "", "ssh"));
    assert!(entries.iter().all(|entry| entry.detach(1)) && nobody.detach(1));
    let told = || entries.each_ref().map(|entry| entry.told_to_end().is_cancelled());
    for (user, there, found, after) in [
        ("bob", There::Anywhere, false, [false, false, false]),
        ("", There::Anywhere, false, [false, false, false]),
        ("alice", There::At("ssh"), true, [false, true, false]),
        ("alice", There::At("ssh"), false, [false, true, false]),
        ("alice", There::Anywhere, true, [true, true, false]),
        ("alice", There::At("mysql"), true, [true, true, true]),
    ] {
        assert_eq!(held.end_longest_detached(user, there).is_some(), found, "{user} {there:?}");
        assert_eq!(told(), after, "{user} {there:?}");
    }
    assert!(!nobody.told_to_end().is_cancelled());
}
