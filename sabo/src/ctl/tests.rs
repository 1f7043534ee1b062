use std::path::Path;

use super::*;
use crate::member::{Identity, Member, Standing};

const UNCHANGED: Change = Change { max_bandwidth: None, pause: None, resume: None };

fn change(path: &Path, group: Option<&str>, change: Change) -> Result<(), Failure> {
    let group = group.map(|group| group.parse().unwrap());
    ctl(&Ctl { work_dir: path.to_owned(), group, change })
}

fn limit(rate: &str) -> Change {
    Change { max_bandwidth: Some(rate.parse().unwrap()), ..UNCHANGED }
}

fn join(path: &Path, limit: u64, one_budget: bool) -> Member {
    Identity { one_budget, ..Identity::plain(path, limit) }.join()
}

#[test]
fn a_change_lasts_while_somebody_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let member = join(dir.path(), 1_000_000, false);
    let pause = |paused| Change { pause: Some(paused), ..UNCHANGED };
    let resume = Change { resume: Some(true), ..UNCHANGED };
    let table = [
        (limit("400k"), 400_000, false),
        (pause(true), 400_000, true),
        (resume, 400_000, false),
        (pause(true), 400_000, true),
        (pause(false), 400_000, false),
        (limit("5M"), 1_000_000, false),
        (limit("1"), 1, false),
    ];
    for (asked, rate, paused) in table {
        change(dir.path(), None, asked).unwrap();
        assert_eq!(member.standing(), Standing { rate, members: 1, paused });
    }
    drop(member);
    let error = change(dir.path(), Some("1M"), limit("2k")).unwrap_err().to_string();
    assert!(error.contains("nobody is in it"), "{error}");
    assert_eq!(join(dir.path(), 1_000_000, false).standing().rate, 1_000_000);
}

#[test]
fn one_of_several_groups_must_be_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = |group| format!("{:#}", change(dir.path(), group, limit("1k")).unwrap_err());
    assert!(error(None).contains("nobody"));
    assert!(error(Some("7M")).contains("group 7M"));
    let (plain, shared) = (join(dir.path(), 1_000_000, false), join(dir.path(), 2_000_000, true));
    assert!(error(None).contains("--group 1M or --group one"), "{}", error(None));
    change(dir.path(), Some("one"), limit("1k")).unwrap();
    assert_eq!((plain.standing().rate > 1_000, shared.standing().rate <= 1_000), (true, true));
}
