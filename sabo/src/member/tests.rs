use std::path::Path;

use super::*;
use crate::clock;
use crate::group::Group;
use crate::group::map::Access;
use crate::group::slots;

fn plain(dir: &tempfile::TempDir) -> Member {
    Identity::plain(dir.path(), 1_000_000).join()
}

fn look(path: &Path, key: Key) -> Group {
    Group::look(&WorkDir::open(path, false).unwrap(), key, Access::Write).unwrap()
}

const KEY: Key = Key::Limit(1_000_000);

#[test]
fn the_first_begins_anew_and_the_next_keeps_what_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let first = plain(&dir);
    let group = look(dir.path(), KEY);
    assert_eq!((group.limit(), group.is_paused()), (1_000_000, false));
    group.map.set(layout::LIMIT, 400_000);
    group.map.set(layout::PAUSED, 1);
    assert_eq!(changed(KEY, &group), Some("group 1M is paused (sabo ctl)".to_owned()));
    let second = plain(&dir);
    assert_eq!(second.standing(), Standing { rate: 400_000, members: 2, paused: true });
    group.map.set(layout::PAUSED, 0);
    assert_eq!(changed(KEY, &group), Some("group 1M runs at 400k (sabo ctl)".to_owned()));
    first.finish();
    drop(second);
    assert_eq!((group.map.get(layout::FINISHED), group.map.get(layout::FAILED)), (1, 1));
    let third = plain(&dir);
    assert_eq!(third.standing(), Standing { rate: 1_000_000, members: 1, paused: false });
    assert_eq!(changed(KEY, &group), None);
    let names = third.dir.names().unwrap();
    assert_eq!(names.iter().filter(|name| name.ends_with(".lock")).count(), 1);
}

#[test]
fn the_group_is_told_what_time_went_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = plain(&dir);
    member.spent = Spent::since(member.clock.now() - SECOND);
    member.count(10, Waits { source: 1, sink: 2, limit: 3 });
    member.count(10, Waits { source: 10, sink: 20, limit: 30 });
    let group = look(dir.path(), KEY);
    let recent = || group.recent(clock::epoch() + 1, 60);
    assert_eq!((recent().bytes, recent().here), (20, 0), "not at every chunk");
    member.tick();
    let told = recent();
    assert_eq!(told.waited, [11, 22, 33]);
    assert!((1_000_000_000..60_000_000_000).contains(&told.here), "{told:?}");
    member.count(0, Waits { source: 0, sink: 0, limit: 67 });
    drop(member);
    assert_eq!((recent().waited, recent().here > told.here), ([11, 22, 100], true), "nor lost at the end");
    assert!(clock::epoch() - group.map.get(layout::FAILURE) < 60);
}

#[test]
fn the_smallest_cap_counts_while_its_member_lives() {
    let dir = tempfile::tempdir().unwrap();
    let one_budget = |limit| Identity { one_budget: true, ..Identity::plain(dir.path(), limit) };
    let mut large = one_budget(3_000_000).join();
    let small = one_budget(1_000_000).join();
    large.look();
    assert_eq!((large.standing().rate, small.standing().rate), (1_000_000, 1_000_000));
    drop(small);
    large.look();
    assert_eq!(large.standing().rate, 3_000_000);
    let schedule = Some("00:00,500k".parse().unwrap());
    let _slow = Identity { schedule, ..one_budget(9_000_000) }.join();
    large.look();
    assert_eq!(large.standing().rate, 500_000);
    assert!(slots::locked(&look(dir.path(), Key::One).file).unwrap().len() == 2);
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_shared_by_all() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("wd");
    let join = || Identity { create: true, ..Identity::plain(&path, 1_000_000) }.join();
    let mut old = [join(), join()];
    old.iter_mut().for_each(Member::look);
    std::fs::remove_dir_all(&path).unwrap();
    old.iter_mut().for_each(Member::tick);
    assert_eq!(old.each_ref().map(|member| member.standing().rate), [500_000; 2], "each its part");
    let new = join();
    old.iter_mut().for_each(Member::tick);
    assert_eq!(slots::locked(&look(&path, KEY).file).unwrap().len(), 3);
    let locks = || new.dir.names().unwrap().iter().filter(|name| name.ends_with(".lock")).count();
    assert_eq!(locks(), 3);
    drop(old);
    assert_eq!(locks(), 1);
}

#[test]
fn originals_leave_us_our_part() {
    let dir = tempfile::tempdir().unwrap();
    let original =
        std::fs::File::create(dir.path().join("sabo_1000000_7_cq1v0l2j5s0c73f0e9qg.lock")).unwrap();
    rustix::fs::flock(&original, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let member = plain(&dir);
    assert_eq!(member.standing().rate, 500_000);
    let mut next = plain(&dir);
    // For a second what the original still believes.
    assert_eq!(next.standing().rate, 666_666);
    drop(original);
    drop(member);
    next.tick();
    assert_eq!(look(dir.path(), KEY).map.get(layout::ORIGINALS), 0);
}

#[test]
fn garbage_in_the_time_is_replaced_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = plain(&dir);
    let group = look(dir.path(), KEY);
    for garbage in [Nanos::MAX, member.clock.now() + 3600 * SECOND] {
        group.tat().store(garbage, Ordering::Relaxed);
        let at = member.reserve(20_000);
        assert!(at <= member.clock.now() + SECOND, "{at}");
    }
    assert_eq!(group.map.get(layout::RESETS), 2);
}

#[test]
fn random_bytes_everywhere_never_crash_and_never_wait_long() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = plain(&dir);
    let group = look(dir.path(), KEY);
    for round in 0..200 {
        for word in 1..Layout::V1.length / 8 {
            group.map.set(8 * word, rand::random::<u64>() >> (round % 64));
        }
        member.tick();
        let bytes = member.quantum();
        let at = member.reserve(bytes);
        assert!(at - member.clock.now() <= bucket::horizon(member.seen.members, 1) + 2 * SECOND);
        member.count(bytes, Waits::default());
    }
}

#[test]
fn a_group_that_is_removed_is_joined_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut members: Vec<_> = (0..3).map(|_| plain(&dir)).collect();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    members.iter_mut().for_each(Member::tick);
    members.iter_mut().for_each(Member::look);
    assert!(members.iter().all(|member| member.standing().members == 3));
    let locks = members[0].dir.names().unwrap();
    assert_eq!(locks.iter().filter(|name| name.ends_with(".lock")).count(), 3);
}

#[test]
fn a_group_that_is_truncated_leaves_each_its_part_until_it_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut members: Vec<_> = (0..2).map(|_| plain(&dir)).collect();
    members.iter_mut().for_each(Member::look);
    let file = std::fs::File::options().write(true).open(dir.path().join(KEY.file())).unwrap();
    file.set_len(0).unwrap();
    for member in &mut members {
        member.reserve(10);
        member.attend();
        assert!(matches!(member.place, Place::Alone { members: 2, .. }));
        assert_eq!(member.standing().rate, 500_000);
        let at = member.reserve(10_000);
        assert!(at <= member.clock.now() + SECOND / 50);
    }
    // The first to come back takes the other for an original, until that is back, too.
    members.iter_mut().for_each(Member::tick);
    members.iter_mut().for_each(Member::tick);
    assert_eq!(look(dir.path(), KEY).map.get(layout::ORIGINALS), 0);
    assert!(members.iter().all(|member| member.standing().members == 2));
}

/// As `cp /dev/null` and a copy back do it: no page is ever missing while we look.
#[test]
fn a_group_that_is_overwritten_is_left_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = plain(&dir);
    let path = dir.path().join(KEY.file());
    std::fs::write(&path, vec![0; Layout::V1.length]).unwrap();
    member.attend();
    assert_eq!(member.standing().rate, 1_000_000);
    assert!(matches!(member.place, Place::Alone { members: 1, .. }));
    member.tick();
    assert!(matches!(member.place, Place::Group(_)));
    assert_eq!(std::fs::read(&path).unwrap()[..8], *b"SABOGRP1");
}

#[test]
fn a_directory_that_is_removed_costs_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = plain(&dir);
    std::fs::remove_dir_all(dir.path()).unwrap();
    member.tick();
    assert!(matches!(member.place, Place::Alone { members: 1, .. }));
    assert_eq!(member.standing().rate, 1_000_000);
    member.tick();
    member.finish();
}

#[test]
fn two_layouts_share_one_group() {
    let v2 = Layout { length: Layout::V1.length + 4096 };
    for (first, second) in [(Layout::V1, v2), (v2, Layout::V1)] {
        let path = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(path.path(), false).unwrap();
        let clock = Clock::of_this_kernel();
        let sit = |layout| {
            let card = Card { xid: Xid::new(), weight: 1000, cap: 1_000_000, since: 0, name: "" };
            match Seat::take(&dir, KEY, layout, &card, clock).unwrap() {
                Joined::Group(seat) => seat,
                Joined::Unmapped { why, .. } => panic!("{why}"),
            }
        };
        let (one, two) = (sit(first), sit(second));
        assert_eq!((one.inode, one.slot, two.slot), (two.inode, Some(0), Some(1)));
        let now = clock.now();
        let reserve = |seat: &Seat| bucket::reserve(seat.group.tat(), || now, SECOND / 10, SECOND).unwrap();
        let (a, b) = (reserve(&one), reserve(&two));
        assert_eq!(b - a, SECOND / 10);
        assert_eq!((one.look(9, 0).0.members, two.look(9, 0).0.members), (2, 2));
    }
}

#[test]
fn many_who_join_at_once_have_a_slot_each() {
    let dir = tempfile::tempdir().unwrap();
    let members: Vec<Member> = std::thread::scope(|scope| {
        let start = || plain(&dir);
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let group = look(dir.path(), KEY);
    assert_eq!(slots::locked(&group.file).unwrap(), (0..16).collect::<Vec<_>>());
    assert_eq!((group.map.get(layout::FAILED), group.map.get(layout::ORIGINALS)), (0, 0));
    drop(members);
    assert_eq!(group.map.get(layout::FAILED), 16);
}

/// In every window of w: rate · w + 2 ms of the rate + a quantum for each member.
#[test]
fn members_on_a_real_clock_keep_within_the_bound() {
    const RATE: u64 = 1_000_000;
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::of_this_kernel();
    let begun = clock.now();
    let dir = &dir;
    let send = move |who: i64| {
        let mut member = plain(dir);
        let mut moved = Vec::new();
        while clock.now() < begun + SECOND {
            let bytes = member.quantum();
            let at = member.reserve(bytes);
            // Some wait for their source now and then, with a chunk in hand.
            let late = if moved.len() as i64 % 5 == who { SECOND / 20 } else { 0 };
            while clock.now() < at + late {
                clock.sleep_until(at + late);
            }
            moved.push((clock.now(), bytes));
        }
        moved
    };
    let mut moved: Vec<(Nanos, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|who| scope.spawn(move || send(who))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    moved.sort_unstable();
    let quanta = 8 * bucket::quantum(RATE, 1000);
    for (first, (from, _)) in moved.iter().enumerate() {
        let mut sum = 0;
        for (to, bytes) in &moved[first..] {
            sum += bytes;
            let span = u64::try_from(to - from + bucket::BURST).unwrap();
            let bound = RATE * span / SECOND as u64 + quanta + 1;
            assert!(sum <= bound, "{sum} > {bound} in {span} ns");
        }
    }
    let total: u64 = moved.iter().map(|(_, bytes)| bytes).sum();
    assert!(total > RATE / 4, "{total}");
}
