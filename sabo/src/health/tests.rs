use super::*;
use crate::status::{GroupStatus, MemberStatus};

const NOW: u64 = 1_795_312_345;
const HOUR: u64 = 3600;

fn group(success: Option<u64>, failure: Option<u64>) -> GroupStatus {
    let ago = |hours: Option<u64>| hours.map(|hours| NOW - hours * HOUR);
    let runs_failed = u64::from(failure.is_some());
    GroupStatus {
        last_success: ago(success),
        last_failure: ago(failure),
        runs_failed,
        ..GroupStatus::default()
    }
}

fn with_member(hours: f64, group: GroupStatus) -> GroupStatus {
    let members = vec![MemberStatus { seconds: hours * 3600.0, ..MemberStatus::default() }];
    GroupStatus { members, ..group }
}

fn of(groups: Vec<GroupStatus>) -> Status {
    Status { work_dir: "/wd".to_owned(), groups, ..Status::default() }
}

fn judged(groups: Vec<GroupStatus>) -> (Level, String) {
    judge(&of(groups), "26h".parse().unwrap(), NOW)
}

#[test]
fn a_success_is_enough_if_it_is_young_and_nothing_failed_since_then() {
    let ok = (Level::Ok, "/wd: a run ended well within 26h, and none failed".to_owned());
    let failed = |at| (Level::Warning, format!("/wd: a run failed at {at}"));
    let late =
        |at| (Level::Critical, format!("/wd: no run ended well since {at}, the most is 26h (--max-age)"));
    let never = |failed| (Level::Critical, format!("/wd: no run ever ended well, failed: {failed}"));
    let on_its_way = (Level::Warning, "/wd: no run has ended well yet, one is on its way".to_owned());
    let dead = GroupStatus { dead: 1, ..group(Some(1), None) };
    let table = [
        (vec![group(Some(1), None)], ok.clone()),
        (vec![group(Some(26), None)], ok.clone()),
        (vec![group(Some(300), None), group(Some(2), Some(300))], ok.clone()),
        (vec![with_member(50.0, group(Some(2), None))], ok),
        (vec![group(Some(27), None)], late("2026-11-20T22:52:25.000Z")),
        (
            vec![group(Some(27), Some(1)), with_member(1.0, group(None, None))],
            late("2026-11-20T22:52:25.000Z"),
        ),
        (vec![group(Some(2), Some(1))], failed("2026-11-22T00:52:25.000Z")),
        (vec![group(Some(2), None), group(None, Some(25))], failed("2026-11-21T00:52:25.000Z")),
        (vec![dead], (Level::Warning, "/wd: killed before the end: 1".to_owned())),
        (vec![group(None, Some(1))], never(1)),
        (vec![group(None, None)], never(0)),
        (vec![with_member(2.0, group(None, None))], on_its_way),
        (vec![with_member(27.0, group(None, None))], never(0)),
    ];
    for (groups, expected) in table {
        assert_eq!(judged(groups.clone()), expected, "{groups:?}");
    }
}

/// As long as nothing happens.
#[test]
fn the_text_does_not_change_with_time() {
    for group in [group(Some(1), None), group(Some(50), None), group(Some(2), Some(1)), group(None, Some(1))]
    {
        let status = of(vec![group]);
        let at = |now| judge(&status, "26h".parse().unwrap(), now);
        assert_eq!(at(NOW), at(NOW + 2 * HOUR));
    }
}

#[test]
fn nobody_knows_what_cannot_be_read() {
    assert_eq!(judged(vec![]).0, Level::Unknown);
    let errors = vec!["/wd/sabo_5.group: it has a wrong size".to_owned()];
    let status = Status { errors: errors.clone(), ..of(vec![group(Some(1), None)]) };
    assert_eq!(judge(&status, "26h".parse().unwrap(), NOW), (Level::Unknown, errors[0].clone()));
    let said = health(&Health { work_dir: "/nowhere/at/all".into(), max_age: "1h".parse().unwrap() });
    assert!(
        said.status == 3 && said.text.starts_with("sabo UNKNOWN: --work-dir /nowhere/at/all: make it"),
        "{said:?}"
    );
}

/// Whatever the words of a group file say.
#[test]
fn garbage_moments_are_no_panic() {
    for moment in [u64::MAX, i64::MAX as u64, NOW + 1] {
        let garbage =
            GroupStatus { last_success: Some(moment), last_failure: Some(moment), ..group(None, None) };
        assert_eq!(judged(vec![garbage]).0, Level::Warning);
    }
}
