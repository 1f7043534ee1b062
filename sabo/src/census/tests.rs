use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::group::layout::Layout;
use crate::group::map::Access;
use crate::group::open::open_or_make;
use crate::group::slots::Card;
use crate::names::Xid;

const KEY: Key = Key::Limit(100);

struct Scene {
    path: tempfile::TempDir,
    dir: WorkDir,
    group: Group,
}

impl Scene {
    fn new() -> Self {
        let path = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(path.path(), false).unwrap();
        open_or_make(&dir, KEY, Layout::V1).unwrap();
        let group = Group::look(&dir, KEY, Access::Write).unwrap();
        Self { path, dir, group }
    }

    fn census(&self) -> Census {
        Census::take(&self.dir, KEY, &self.group, &mut Said::default()).unwrap()
    }

    /// An original, which holds its file locked.
    fn original(&self, name: &str) -> File {
        let file = File::create(self.path.path().join(name)).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    }

    fn exists(&self, name: &str) -> bool {
        self.dir.inode(name).unwrap().is_some()
    }
}

fn age(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let then = SystemTime::now() - 2 * DRAFT;
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

#[test]
fn originals_count_while_they_live() {
    let scene = Scene::new();
    let names =
        ["sabo_100_1_cq1v0l2j5s0c73f0e9qg.lock", "sabo_100_2.lock", "sabo_200_3_cq1v0l2j5s0c73f0e9qh.lock"];
    let held = names.map(|name| scene.original(name));
    let census = scene.census();
    assert_eq!((census.originals, census.others), (2, BTreeSet::from([Key::Limit(200)])));
    drop(held);
    assert_eq!(scene.census(), Census::default());
    assert!(names.iter().all(|name| !scene.exists(name)));
}

#[test]
fn members_are_no_originals() {
    let scene = Scene::new();
    let xid = Xid::new();
    let card = Card { xid, weight: 1000, cap: 100, since: 0, name: "" };
    scene.group.take_slot(&card).unwrap().unwrap();
    let _lock = scene.original(&format!("sabo_100_1_{xid}.lock"));
    assert_eq!(scene.census().originals, 0);
    assert!(scene.exists(&format!("sabo_100_1_{xid}.lock")));
}

#[test]
fn what_a_killed_member_left_is_removed_and_not_counted_before() {
    let scene = Scene::new();
    let xid = Xid::new();
    let name = format!("sabo_100_1_{xid}.lock");
    let lock = scene.original(&name);
    let member = Group::look(&scene.dir, KEY, Access::Write).unwrap();
    member.take_slot(&Card { xid, weight: 1000, cap: 100, since: 0, name: "" }).unwrap();
    assert_eq!(scene.census().originals, 0);
    drop(member);
    assert_eq!((scene.census().originals, scene.exists(&name)), (0, true));
    drop(lock);
    assert_eq!((scene.census().originals, scene.exists(&name)), (0, false));
}

#[test]
fn other_groups_are_seen_while_somebody_is_in_them() {
    let scene = Scene::new();
    open_or_make(&scene.dir, Key::One, Layout::V1).unwrap();
    assert_eq!(scene.census().others, BTreeSet::new());
    let other = Group::look(&scene.dir, Key::One, Access::Write).unwrap();
    let card = Card { xid: Xid::new(), weight: 1000, cap: 100, since: 0, name: "" };
    other.take_slot(&card).unwrap();
    assert_eq!(scene.census().others, BTreeSet::from([Key::One]));
}

#[test]
fn only_what_was_left_behind_is_removed() {
    let scene = Scene::new();
    let old_draft = "_sabo_200.cq1v0l2j5s0c73f0e9qg";
    let stays = [
        "_sabo_200.cq1v0l2j5s0c73f0e9qh",
        "sabo_100_notes.lock",
        "_sabo_notes",
        "sabo_100.group",
        "dump.sql",
    ];
    for name in stays.iter().chain([&old_draft]).filter(|name| !name.ends_with(".group")) {
        File::create(scene.path.path().join(name)).unwrap();
    }
    for name in [old_draft, "sabo_100_notes.lock", "_sabo_notes", "dump.sql"] {
        age(&scene.path.path().join(name));
    }
    std::fs::create_dir(scene.path.path().join("sabo_100_9.lock")).unwrap();
    std::os::unix::fs::symlink("dump.sql", scene.path.path().join("sabo_100_8.lock")).unwrap();
    assert_eq!(scene.census().originals, 0);
    assert!(stays.iter().all(|name| scene.exists(name)));
    assert!(scene.exists("sabo_100_9.lock") && scene.exists("sabo_100_8.lock"));
    assert!(!scene.exists(old_draft));
}
