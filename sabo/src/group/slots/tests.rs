use super::*;
use crate::group::layout::Layout;
use crate::group::map::{Access, Map};

/// A file with room for a group, open as often as is asked.
fn groups(count: usize) -> (tempfile::NamedTempFile, Vec<Group>) {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), Layout::V1.content()).unwrap();
    let open = |_| {
        let file = std::fs::File::options().read(true).write(true).open(path.path()).unwrap();
        let map = Map::new(&file, Layout::V1.length, Access::Write).unwrap();
        Group { file: file.into(), map }
    };
    let groups = (0..count).map(open).collect();
    (path, groups)
}

fn card(name: &str) -> Card<'_> {
    Card { xid: Xid::new(), weight: 1500, cap: 7, since: 42, name }
}

#[test]
fn a_slot_shows_who_is_in_it() {
    let (_path, groups) = groups(2);
    let mine = card("a dump");
    assert_eq!(groups[0].take_slot(&mine).unwrap(), Some(0));
    assert_eq!(locked(&groups[1].file).unwrap(), [0]);
    assert_eq!(locked(&groups[0].file).unwrap(), [] as [usize; 0]);
    let entry = groups[1].entry(0);
    assert_eq!((entry.pid, entry.weight, entry.cap, entry.since), (std::process::id(), 1500, 7, 42));
    assert_eq!((entry.xid, entry.name, entry.here), (mine.xid.to_string(), "a dump".to_owned(), true));
    assert_eq!((groups[1].cap(0), groups[1].cap(1)), (Some(7), None));
    assert!(groups[0].leave(0, State::Finished) && !groups[0].leave(0, State::Failed));
    groups[0].give_slot_back(0);
    assert_eq!(locked(&groups[1].file).unwrap(), [] as [usize; 0]);
}

#[test]
fn a_death_is_counted_once_whoever_sees_it() {
    let (_path, mut groups) = groups(4);
    for group in &groups[..3] {
        group.take_slot(&card("")).unwrap().unwrap();
    }
    // The member in slot 1 is killed, that in slot 2 ends well.
    assert!(groups[2].leave(2, State::Finished));
    groups.drain(1..3);
    let roll = groups[1].roll().unwrap();
    assert_eq!((roll.live, roll.dead), (vec![0], 1), "before anybody counts it");
    for _ in 0..3 {
        groups.iter().for_each(|group| group.reap([1, 2, 3].into_iter()));
    }
    assert_eq!(groups[0].map.get(layout::FAILED), 1);
    assert!(clock::epoch() - groups[0].map.get(layout::FAILURE) < 60);
    assert_eq!(groups[1].roll().unwrap().dead, 0);
    assert_eq!(locked(&groups[1].file).unwrap(), [0]);
    // Whoever moves in counts it, too.
    assert_eq!(groups[1].take_slot(&card("")).unwrap(), Some(1));
    drop(groups.pop());
    groups[0].reap([1].into_iter());
    assert_eq!(groups[0].map.get(layout::FAILED), 2);
}

#[test]
fn every_lock_is_found_however_they_lie() {
    let (_path, groups) = groups(40);
    let mut expected = Vec::new();
    for (i, group) in groups[1..].iter().enumerate() {
        let slot = i * 389 % SLOT_COUNT;
        lock::take(&group.file, bytes_of(slot..slot + 1)).unwrap();
        expected.push(slot);
    }
    expected.sort_unstable();
    assert_eq!(locked(&groups[0].file).unwrap(), expected);
}

#[test]
fn a_full_table_and_odd_locks_are_survived() {
    let (_path, groups) = groups(9);
    lock::take(&groups[0].file, 5000..i64::MAX).unwrap();
    let held = locked(&groups[1].file).unwrap();
    assert_eq!((held[0], held.len()), (7, SLOT_COUNT - 7));
    for slot in 0..7 {
        assert_eq!(groups[slot + 1].take_slot(&card("")).unwrap(), Some(slot));
    }
    assert_eq!(groups[8].take_slot(&card("")).unwrap(), None);
    assert_eq!(locked(&groups[8].file).unwrap().len(), SLOT_COUNT);
}

#[test]
fn the_covered_slots_are_never_none() {
    let table = [
        (4096..4224, 0..1024, 0..1),
        (4100..4101, 0..1024, 0..1),
        (4223..4225, 0..1024, 0..2),
        (0..i64::MAX, 3..5, 3..5),
        (0..1, 3..5, 3..4),
        (i64::MAX - 1..i64::MAX, 3..5, 4..5),
    ];
    for (lock, range, expected) in table {
        assert_eq!(covered(&lock, &range), expected, "{lock:?}");
    }
}

#[test]
fn a_slot_of_random_bytes_is_shown_somehow() {
    let (_path, groups) = groups(1);
    for word in 0..layout::SLOT / 8 {
        groups[0].map.set(layout::slot(5) + 8 * word, rand::random());
    }
    let entry = groups[0].entry(5);
    assert!(entry.name.len() <= 3 * layout::NAME_LENGTH);
    assert!(entry.xid.len() <= 3 * 24);
}
