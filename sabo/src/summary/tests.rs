use super::*;
use crate::group::cells::Recent;
use crate::status::MemberStatus;

fn group(limit: u64, rate: u64) -> GroupStatus {
    let minute = Recent { bytes: rate * MINUTE, ..Recent::default() };
    GroupStatus { limit: Some(limit), minute, ..GroupStatus::default() }
}

/// With somebody in it, who runs at `effective_rate`.
fn live(effective_rate: u64, group: GroupStatus) -> GroupStatus {
    GroupStatus { effective_rate, members: vec![MemberStatus::default()], ..group }
}

#[test]
fn the_limit_is_what_may_pass_where_something_does() {
    let one = |rate| GroupStatus { limit: None, ..group(0, rate) };
    let table = [
        (vec![group(100, 0), group(50, 0)], Some(150), Some(0.0), "nobody anywhere"),
        (vec![live(100, group(100, 40)), group(50, 0)], Some(100), Some(0.4), "an old file beside"),
        (vec![live(100, group(100, 40)), group(50, 35)], Some(150), Some(0.5), "the other ended just now"),
        (vec![live(20, group(100, 100))], Some(20), Some(1.0), "sabo ctl slowed it down just now"),
        (vec![live(0, group(100, 50))], Some(0), None, "paused"),
        (vec![one(0)], None, None, "one budget, nobody there"),
        (vec![live(80, one(40))], Some(80), Some(0.5), "one budget"),
    ];
    for (groups, limit, utilisation, what) in table {
        let summary = Summary::of(&groups).unwrap();
        assert_eq!((summary.limit, summary.utilisation), (limit, utilisation), "{what}");
    }
}

#[test]
fn waiting_is_a_share_of_the_time_that_members_told_of() {
    let told =
        |here, waited| GroupStatus { minute: Recent { bytes: 600, here, waited }, ..GroupStatus::default() };
    let older = told(0, [0; 3]);
    let table = [
        (vec![older.clone()], None),
        (vec![told(1000, [0, 250, 500])], Some([0.0, 0.25, 0.5])),
        (vec![told(1000, [0, 250, 500]), told(3000, [1000, 750, 500]), older], Some([0.25, 0.25, 0.25])),
        (vec![told(1000, [u64::MAX, 0, 0])], Some([1.0, 0.0, 0.0])),
    ];
    for (groups, expected) in table {
        assert_eq!(Summary::of(&groups).unwrap().waiting, expected);
    }
}

#[test]
fn all_groups_are_summed_and_the_latest_moment_counts() {
    let one = GroupStatus {
        bytes: 10,
        runs_finished: 1,
        runs_failed: 2,
        last_success: Some(100),
        waited_limit: 0.5,
        originals: 3,
        ..GroupStatus::default()
    };
    let other =
        GroupStatus { last_success: Some(90), last_failure: Some(95), bytes: u64::MAX, ..one.clone() };
    let summary = Summary::of(&[one, other]).unwrap();
    assert_eq!((summary.bytes, summary.finished, summary.failed, summary.originals), (u64::MAX, 2, 4, 6));
    assert_eq!(
        (summary.last_success, summary.last_failure, summary.waited),
        (Some(100), Some(95), [0.0, 0.0, 1.0])
    );
    assert_eq!(Summary::of(&[]), None, "no sabo ever ran there");
}

#[test]
fn a_part_of_the_directory_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Summary::read(dir.path()), Ok(None));
    let _member = crate::member::Identity::plain(dir.path(), 1000).join();
    let summary = Summary::read(dir.path()).unwrap().unwrap();
    assert_eq!((summary.members, summary.limit), (1, Some(1000)));
    std::fs::write(dir.path().join("sabo_5.group"), "garbage").unwrap();
    let complaints = Summary::read(dir.path()).unwrap_err();
    assert!(complaints.len() == 1 && complaints[0].contains("sabo_5.group"), "{complaints:?}");
    let complaints = Summary::read(&dir.path().join("missing")).unwrap_err();
    assert!(complaints[0].contains("--create"), "{complaints:?}");
}
