//! Two users in one directory: one limit.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use e2e::eventually::eventually;
use e2e::meter::{Meter, Record};
use e2e::programs::needed;
use e2e::sabo::{Flow, WorkDir, endless};

const RATE: u64 = 50_000_000;
/// `nobody` and `nogroup`, wherever there are users.
const NOBODY: u32 = 65_534;

/// A directory for root and the group of `nobody`, and a sabo beside it that everybody may run.
fn shared(mode: u32) -> WorkDir {
    assert!(rustix::process::geteuid().is_root(), "only root can be two users: run it as root");
    let dir = WorkDir::new();
    chown(dir.path(), Some(0), Some(NOBODY)).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
    fs::copy(dir.sabo(RATE).get_program(), dir.beside().file("sabo")).unwrap();
    dir
}

fn start(dir: &WorkDir, meter: &Meter, user: u32) -> Flow {
    let mut command = Command::new(needed("setpriv", "util-linux"));
    let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
    command.args([&*uid, &*gid, "--clear-groups", "--", &*dir.beside().file("sabo")]);
    command.args(dir.sabo(RATE).get_args());
    // root has more pipes in these tests than somebody else may enlarge, and who has a narrow one has less.
    let source = endless();
    rustix::pipe::fcntl_setpipe_size(&source, 256 * 1024).unwrap();
    dir.flow(meter, command, source)
}

/// Starts a sabo of each of these users, one after the other, and says what they moved.
fn together(dir: &WorkDir, users: [u32; 2]) -> (Record, Vec<Flow>, Duration) {
    let meter = Meter::start();
    let mut flows = Vec::new();
    for (number, user) in users.into_iter().enumerate() {
        flows.push(start(dir, &meter, user));
        eventually("it has its lock file", || (dir.locks().len() == number + 1).then_some(()));
    }
    sleep(Duration::from_millis(1_200));
    let to = meter.now();
    (meter.finish(), flows, to)
}

#[test]
fn root_and_nobody_share_a_limit_whoever_comes_first() {
    for (mode, users) in [(0o770, [0, NOBODY]), (0o2770, [NOBODY, 0]), (0o777, [0, NOBODY])] {
        let dir = shared(mode);
        let (record, mut flows, to) = together(&dir, users);
        record.keeps(RATE, 2);
        for flow in &mut flows {
            assert_eq!(flow.process.exited(), None, "{mode:o} {users:?}: {}", flow.process.stderr());
            let share = record.of(flow.number, to - Duration::from_millis(800), to).at_most() / RATE as f64;
            assert!((0.3..=0.7).contains(&share), "{mode:o} {users:?}: about half, not {share:.3}");
        }
        drop(flows);
        let group = fs::metadata(dir.group(RATE)).unwrap();
        let others = if mode & 0o002 == 0 { 0o660 } else { 0o666 };
        assert_eq!((group.mode() & 0o7777, group.gid()), (others, NOBODY), "{mode:o} {users:?}");
    }
}

#[test]
fn a_directory_of_one_user_stays_one_users() {
    let dir = shared(0o700);
    let meter = Meter::start();
    let _mine = start(&dir, &meter, 0);
    eventually("the group is there", || dir.group(RATE).exists().then_some(()));
    assert_eq!(fs::metadata(dir.group(RATE)).unwrap().mode() & 0o7777, 0o600);
    let mut theirs = start(&dir, &meter, NOBODY);
    let status = theirs.process.wait(e2e::eventually::PATIENCE);
    assert!(matches!(status.code(), Some(1 | 2)), "nobody may not: {status}");
    let stderr = theirs.process.stderr();
    assert!(stderr.contains(&*dir.path().to_string_lossy()), "it names the directory: {stderr}");
}
