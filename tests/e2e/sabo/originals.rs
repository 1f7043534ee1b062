//! A directory that the original program uses too: each counts the other.

use std::fs::{self, File, OpenOptions};
use std::io::{Write, pipe};
use std::thread::sleep;
use std::time::Duration;

use e2e::eventually::{eventually, within};
use e2e::meter::{Meter, reaches};
use e2e::process::Process;
use e2e::sabo::{WorkDir, endless};
use rustix::fs::{FlockOperation, flock};

const RATE: u64 = 50_000_000;
/// The directory is listed once a second, and a change counts in full a second after that.
const SETTLED: Duration = Duration::from_millis(2_200);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A lock file as an original makes it, held as an original holds it.
fn original(dir: &WorkDir, number: u32) -> File {
    // xid: 20 digits of base 32.
    let name = format!("sabo_{RATE}_{}_c9h7u2bd0cvk3m1f{number:04}.lock", 4_000_000 + number);
    let file = OpenOptions::new().create_new(true).write(true).open(dir.path().join(name)).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

fn remove(dir: &WorkDir, number: u32) {
    let ends = format!("c9h7u2bd0cvk3m1f{number:04}.lock");
    let name = dir.locks().into_iter().find(|name| name.ends_with(&ends)).unwrap();
    fs::remove_file(dir.path().join(name)).unwrap();
}

#[test]
fn ours_share_with_originals_and_have_the_whole_again_when_they_leave() {
    reaches(0.8, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let held = [original(&dir, 1), original(&dir, 2)];
        let flows = dir.flows(&meter, RATE, 2);
        sleep(SETTLED);
        let shared = meter.now();
        sleep(ms(600));
        let left = meter.now();
        remove(&dir, 1);
        drop(held); // the other's file stays, and nobody holds it
        let free = meter.now();
        sleep(ms(2_700));
        let to = meter.now();
        let record = meter.finish();
        drop(flows);
        record.keeps_in_every_window(RATE, 2);
        let half = record.between(shared, left);
        assert!(half.at_least() <= 0.55 * RATE as f64, "2 of 4 have half: {half:?}");
        let whole = record.between(free + ms(2_050), to).at_most() / RATE as f64;
        whole.min(half.at_most() / RATE as f64 * 1.8)
    });
}

#[test]
fn who_comes_to_originals_has_one_share_from_the_start() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let _held = [original(&dir, 1), original(&dir, 2), original(&dir, 3)];
    let flows = dir.flows(&meter, RATE, 1);
    sleep(ms(1_300));
    let record = meter.finish();
    drop(flows);
    // A quantum may be that of the whole limit.
    record.keeps_in_every_window(RATE / 4, 2);
    assert!(!record.half_seconds().is_empty(), "it moved something");
}

#[test]
fn a_lock_file_that_nobody_holds_is_removed_and_not_counted() {
    reaches(0.8, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        drop(original(&dir, 1));
        let stale = dir.locks().remove(0);
        let flows = dir.flows(&meter, RATE, 2);
        within(SETTLED, "the stale file is gone", || (!dir.locks().contains(&stale)).then_some(()));
        let gone = meter.now();
        sleep(ms(700));
        let to = meter.now();
        let record = meter.finish();
        drop(flows);
        record.between(gone + ms(100), to).at_most() / RATE as f64
    });
}

#[test]
fn an_original_counts_ours() {
    let dir = WorkDir::new();
    let processes = [1, 2].map(|_| Process::spawn("sabo", dir.sabo(RATE).stdin(endless())));
    eventually("both have a lock file", || (dir.locks().len() == 2).then_some(()));
    for name in dir.locks() {
        let fields: Vec<&str> = name.trim_end_matches(".lock").split('_').collect();
        let pid: u32 = fields[2].parse().unwrap();
        assert_eq!((fields.len(), fields[0], fields[1]), (4, "sabo", &*RATE.to_string()), "{name}");
        assert!(processes.iter().any(|process| process.pid() == pid), "{name}: whose pid is that?");
        let xid = fields[3];
        let is_xid = |digit: char| digit.is_ascii_digit() || ('a'..='v').contains(&digit);
        assert!(xid.len() == 20 && xid.chars().all(is_xid), "{name}: 20 digits of base 32");
        let file = File::open(dir.path().join(&name)).unwrap();
        let probed = flock(&file, FlockOperation::NonBlockingLockShared);
        assert_eq!(probed, Err(rustix::io::Errno::WOULDBLOCK), "{name} is held");
    }
}

#[test]
fn what_is_not_a_lock_file_is_left_alone() {
    let dir = WorkDir::new();
    let rests = [
        "table.sql".to_owned(),
        "sabo_notes.lock".to_owned(),
        format!("sabo_{RATE}_1_short.lock"),
        format!("sabo_{RATE}_x_c9h7u2bd0cvk3m1f0001.lock"),
        format!("sabo_{RATE}_1_c9h7u2bd0cvk3m1f0001.lock.bak"),
        format!("_sabo_{RATE}_1_c9h7u2bd0cvk3m1f0001.lock"), // younger than a minute
    ];
    for name in &rests {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    let (reader, mut writer) = pipe().unwrap();
    let mut process = Process::spawn("sabo", dir.sabo(RATE).stdin(reader));
    writer.write_all(b"a").unwrap();
    sleep(ms(1_300)); // the directory has been listed more than once
    drop(writer);
    assert!(process.wait(e2e::eventually::PATIENCE).success(), "{}", process.stderr());
    for name in &rests {
        assert_eq!(fs::read_to_string(dir.path().join(name)).ok().as_deref(), Some("mine"), "{name}");
    }
}
