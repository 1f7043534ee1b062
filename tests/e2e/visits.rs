//! What the harness concludes from what visitors saw.

use std::time::{Duration, Instant};

use e2e::load::{Visit, Visits};

/// Visits as `begun ended answer`, in tenths of a second.
fn visits(rows: &[(u64, u64, &str)]) -> Visits {
    let start = Instant::now();
    let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
    let visit = |&(begun, ended, answer): &(u64, u64, &str)| Visit {
        begun: at(begun),
        ended: at(ended),
        answer: if answer == "lost" { Err(answer.to_owned()) } else { Ok(answer.to_owned()) },
    };
    Visits(rows.iter().map(visit).collect())
}

#[test]
fn at_once_are_those_who_came_after_the_first_answer() {
    for (rows, most) in [
        (&[(0, 9, "1"), (1, 9, "1"), (2, 9, "1")][..], 0),
        (&[(0, 1, "1"), (2, 3, "1"), (4, 5, "1")], 1),
        (&[(0, 1, "1"), (2, 6, "1"), (3, 5, "1"), (4, 7, "lost"), (6, 8, "1")], 2),
        (&[(0, 1, "1"), (2, 9, "1"), (3, 9, "2"), (4, 9, "2")], 1),
    ] {
        assert_eq!(visits(rows).most_at_once(), most, "{rows:?}");
    }
}

#[test]
fn what_failed_before_the_new_one_answered_is_told_from_what_failed_after() {
    for (rows, before) in [
        (&[(0, 1, "1"), (1, 2, "2")][..], false),
        (&[(0, 1, "1"), (1, 3, "lost"), (2, 4, "2")], true),
        (&[(0, 1, "1"), (1, 2, "2"), (3, 4, "lost")], false),
        (&[(0, 1, "lost"), (1, 2, "2"), (3, 4, "lost")], false),
    ] {
        assert_eq!(visits(rows).failed_before("2"), before, "{rows:?}");
    }
}

#[test]
fn late_is_who_got_the_old_answer_soon_after_the_new_one_was_there() {
    for (rows, late) in [
        (&[(0, 1, "1"), (1, 3, "2"), (2, 4, "1"), (3, 4, "2")][..], 0),
        (&[(0, 1, "1"), (1, 3, "2"), (4, 5, "1"), (5, 6, "1")], 2),
        (&[(0, 1, "1"), (1, 3, "2"), (4, 14, "1")], 0),
        (&[(0, 1, "1"), (2, 3, "1")], 0),
    ] {
        assert_eq!(visits(rows).late("1", "2").len(), late, "{rows:?}");
    }
}
