use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::Barrier;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;
use crate::group::lock;

const KEY: Key = Key::Limit(100);
const NAME: &str = "sabo_100.group";

fn directory() -> (tempfile::TempDir, WorkDir) {
    let path = tempfile::tempdir().unwrap();
    let dir = WorkDir::open(path.path(), false).unwrap();
    (path, dir)
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn open(dir: &WorkDir) -> Result<OwnedFd> {
    open_or_make(dir, KEY, Layout::V1)
}

#[test]
fn a_new_file_is_whole_and_has_one_name() {
    let (path, dir) = directory();
    let file = std::fs::File::from(open(&dir).unwrap());
    assert_eq!(names(path.path()), [NAME]);
    let meta = file.metadata().unwrap();
    assert_eq!(meta.len(), 135_168);
    // No holes: a block is 512 bytes (stat(2)).
    assert!(std::os::unix::fs::MetadataExt::blocks(&meta) * 512 >= 135_168);
    assert_eq!(std::fs::read(path.path().join(NAME)).unwrap(), Layout::V1.content());
}

#[test]
fn all_who_start_at_once_open_one_file() {
    for _ in 0..20 {
        let (path, dir) = directory();
        let barrier = Barrier::new(16);
        let inodes: Vec<Inode> = std::thread::scope(|scope| {
            let start = || {
                let dir = WorkDir::open(path.path(), false).unwrap();
                barrier.wait();
                Inode::from(&fstat(open(&dir).unwrap()).unwrap())
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(inodes.iter().all(|inode| Some(*inode) == dir.inode(NAME).unwrap()));
        assert_eq!(names(path.path()), [NAME]);
    }
}

#[test]
fn all_who_find_garbage_at_once_make_one_file() {
    for garbage in [b"".to_vec(), vec![7; 135_168], Layout::V1.content()[..4096].to_vec(), vec![0; 200_000]] {
        let (path, dir) = directory();
        std::fs::write(path.path().join(NAME), &garbage).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open(&WorkDir::open(path.path(), false).unwrap()).unwrap());
            }
        });
        let file = open(&dir).unwrap();
        assert_eq!(Some(Inode::from(&fstat(&file).unwrap())), dir.inode(NAME).unwrap());
        assert_eq!(names(path.path()), [NAME]);
    }
}

#[test]
fn a_bad_file_that_somebody_works_with_stays() {
    let (path, dir) = directory();
    let bad = path.path().join(NAME);
    std::fs::write(&bad, "garbage").unwrap();
    let holder = std::fs::File::options().read(true).write(true).open(&bad).unwrap();
    lock::take(&holder, 4096..4224).unwrap();
    let error = format!("{:#}", open(&dir).unwrap_err());
    assert!(error.contains(NAME) && error.contains("a process works with it"), "{error}");
    assert_eq!(std::fs::read(&bad).unwrap(), b"garbage");
}

#[test]
fn what_is_no_file_of_ours_is_an_error_and_stays() {
    type Make = fn(&Path);
    let table: [(Make, &str); 4] = [
        (|at| symlink("/etc/passwd", at).unwrap(), "symbolic link"),
        (|at| mkfifoat(CWD, at, Mode::RWXU).unwrap(), "no regular file"),
        (|at| std::fs::create_dir(at).unwrap(), "no regular file"),
        (
            |at| {
                std::fs::write(at, Layout::V1.content()).unwrap();
                std::fs::hard_link(at, at.with_extension("other")).unwrap();
            },
            "second name",
        ),
    ];
    for (make, what) in table {
        let (path, dir) = directory();
        make(&path.path().join(NAME));
        let before = dir.inode(NAME).unwrap();
        let error = format!("{:#}", open(&dir).unwrap_err());
        assert!(error.contains(NAME) && error.contains(what), "{error}");
        assert_eq!(dir.inode(NAME).unwrap(), before);
    }
}

#[test]
fn a_maker_killed_between_its_two_names_is_helped_out() {
    let (path, dir) = directory();
    let (name, draft) = (path.path().join(NAME), path.path().join(KEY.draft(&Xid::new())));
    std::fs::write(&name, Layout::V1.content()).unwrap();
    std::fs::hard_link(&name, draft).unwrap();
    let inode = dir.inode(NAME).unwrap();
    let file = open(&dir).unwrap();
    assert_eq!(Some(Inode::from(&fstat(&file).unwrap())), inode);
    assert_eq!(names(path.path()), [NAME]);
}

#[test]
fn another_users_file_is_an_error_with_the_fix() {
    for (error, fix) in [(Errno::ACCESS, "writable for the group"), (Errno::PERM, "writable for the group")] {
        assert!(format!("{:#}", refused(error, Access::Write)).contains(fix));
    }
    assert!(format!("{:#}", refused(Errno::ACCESS, Access::Read)).contains("be that user or root"));
    assert_eq!(refused(Errno::NOSPC, Access::Write).downcast_ref(), Some(&Errno::NOSPC));
}

#[test]
fn a_file_we_did_not_make_is_never_truncated() {
    let (path, dir) = directory();
    let long = Layout { length: Layout::V1.length + 8192 };
    let file = std::fs::File::from(open_or_make(&dir, KEY, long).unwrap());
    file.write_all_at(b"later", 135_168).unwrap();
    for layout in [Layout::V1, long] {
        let file = open_or_make(&dir, KEY, layout).unwrap();
        assert_eq!(check(&file, layout).unwrap(), layout.length);
    }
    let content = std::fs::read(path.path().join(NAME)).unwrap();
    assert_eq!((content.len(), &content[135_168..135_173]), (143_360, b"later".as_slice()));
}
