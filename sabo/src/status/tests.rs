use std::path::Path;

use serde_json::json;

use super::*;
use crate::clock::SECOND;
use crate::member::{Identity, Member};
use crate::tally::Waits;

fn join(path: &Path, name: &str) -> Member {
    let identity = Identity {
        schedule: Some("00:00,250k".parse().unwrap()),
        weight: "2.5".parse().unwrap(),
        label: name.parse().unwrap(),
        ..Identity::plain(path, 1_000_000)
    };
    identity.join()
}

fn look(path: &Path) -> Status {
    Status::of(&WorkDir::open(path, false).unwrap(), Clock::of_this_kernel()).unwrap()
}

#[test]
fn the_json_tells_who_is_here_and_who_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut member = join(dir.path(), "nightly");
    member.count(500, Waits { source: SECOND, sink: 2 * SECOND, limit: 3 * SECOND });
    let status = serde_json::to_value(look(dir.path())).unwrap();
    let group = &status["groups"][0];
    let expected = [
        ("group", json!("1M")),
        ("limit", json!(1_000_000)),
        ("ctl_limit", json!(null)),
        ("effective_rate", json!(250_000)),
        ("paused", json!(false)),
        ("originals", json!(0)),
        ("bytes", json!(500)),
        ("runs_finished", json!(0)),
        ("last_success", json!(null)),
        ("waited_limit", json!(3.0)),
    ];
    for (key, value) in expected {
        assert_eq!(group[key], value, "{key}");
    }
    let of = |key| &group["members"][0][key];
    assert_eq!((of("name"), of("weight"), of("cap")), (&json!("nightly"), &json!(2.5), &json!(250_000)));
    assert_eq!(
        (of("bytes"), of("waited_sink"), of("pid")),
        (&json!(500), &json!(2.0), &json!(std::process::id()))
    );
    member.finish();
    let group = &look(dir.path()).groups[0];
    assert_eq!((group.members.len(), group.effective_rate, group.bytes), (0, 0, 500));
    assert!(group.runs_finished == 1 && group.last_success.is_some() && group.last_failure.is_none());
}

/// A process that was killed may be counted by the next one, which comes tomorrow.
#[test]
fn who_was_killed_has_failed_before_anybody_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(join(dir.path(), "ends badly"));
    let group = Group::look(&WorkDir::open(dir.path(), false).unwrap(), Key::Limit(1_000_000), Access::Write);
    let group = group.unwrap();
    group.map.set(layout::slot(0) + layout::STATE, crate::group::slots::State::Here as u64);
    let status = &look(dir.path()).groups[0];
    assert_eq!((status.runs_failed, group.map.get(layout::FAILED)), (2, 1));
    assert!(status.last_failure.is_some() && status.members.is_empty());
}

#[test]
fn the_table_escapes_names_and_fits() {
    let dir = tempfile::tempdir().unwrap();
    assert!(table(&look(dir.path()), usize::MAX).starts_with("no group in "));
    let _member = join(dir.path(), "x\x1b[2J");
    let text = table(&look(dir.path()), usize::MAX);
    assert!(text.contains("group 1M: runs at 250k") && text.contains("x\\u{1b}[2J"), "{text}");
    assert!(table(&look(dir.path()), 30).lines().all(|line| line.chars().count() <= 30));
}

#[test]
fn what_cannot_be_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sabo_5.group"), "garbage").unwrap();
    std::os::unix::fs::symlink("sabo_5.group", dir.path().join("sabo_6.group")).unwrap();
    let status = look(dir.path());
    assert_eq!((status.groups.len(), status.errors.len()), (0, 2));
    let text = table(&status, usize::MAX);
    assert!(text.contains("sabo_5.group: it has a wrong size") && text.contains("sabo_6.group"), "{text}");
}

/// Whatever is in the file, looking at it neither crashes nor writes it.
#[test]
fn random_bytes_are_shown_somehow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sabo_5.group");
    for _ in 0..20 {
        let words = std::iter::repeat_with(|| rand::random::<u64>().to_ne_bytes());
        let mut bytes: Vec<u8> = words.flatten().take(layout::Layout::V1.length).collect();
        bytes[..8].copy_from_slice(b"SABOGRP1");
        std::fs::write(&path, &bytes).unwrap();
        let holder = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        crate::group::lock::take(&holder, 4096..i64::MAX).unwrap();
        let status = look(dir.path());
        assert!(serde_json::to_string(&status).is_ok() && !table(&status, 80).is_empty());
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}
