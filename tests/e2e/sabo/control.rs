//! What `sabo ctl` says counts at once, and `sabo status` tells the truth.

use std::fs;
use std::io::{PipeWriter, Write, pipe};
use std::thread::sleep;
use std::time::Duration;

use e2e::eventually::{PATIENCE, eventually};
use e2e::meter::{Meter, quantum, reaches};
use e2e::process::Process;
use e2e::programs::output_of;
use e2e::sabo::{WorkDir, endless, status};

const RATE: u64 = 10_000_000;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn ctl(dir: &WorkDir, arguments: &[&str]) {
    output_of(dir.about("ctl").args(arguments));
}

/// Asserts that `sabo ctl` refuses, with a message.
fn refuses(dir: &WorkDir, arguments: &[&str]) {
    let output = dir.about("ctl").args(arguments).output().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?}");
    assert!(!output.stderr.is_empty(), "{arguments:?}: and says why");
}

#[test]
fn another_limit_bites_within_one_chunk() {
    reaches(0.7, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let flows = dir.flows(&meter, RATE, 2);
        sleep(ms(600));
        ctl(&dir, &["--max-bandwidth", "2M"]);
        let lowered = meter.now();
        sleep(ms(700));
        let raising = meter.now();
        ctl(&dir, &["--max-bandwidth", "8M"]);
        let raised = meter.now();
        sleep(ms(700));
        let to = meter.now();
        let record = meter.finish();
        drop(flows);
        record.keeps_in_every_window(RATE, 2);
        let low = record.between(lowered, raising);
        let outstanding = 2 * quantum(RATE) + 2 * quantum(2_000_000);
        let allowed = 2e6 * (low.most.as_secs_f64() + 0.002) + outstanding as f64;
        assert!((low.bytes as f64) <= allowed, "{allowed:.0} bytes and not {low:?}");
        let high = record.between(raised + ms(150), to);
        assert!(high.bytes as f64 <= 8e6 * high.most.as_secs_f64() + outstanding as f64, "no more: {high:?}");
        high.at_most() / 8e6
    });
}

#[test]
fn a_pause_bites_within_one_chunk_and_ends_without_a_burst() {
    reaches(0.7, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let flows = dir.flows(&meter, RATE, 2);
        sleep(ms(400));
        ctl(&dir, &["--pause"]);
        let paused = meter.now();
        sleep(ms(800));
        let resuming = meter.now();
        ctl(&dir, &["--resume"]);
        let resumed = meter.now();
        sleep(ms(700));
        let to = meter.now();
        let record = meter.finish();
        drop(flows);
        record.keeps_in_every_window(RATE, 2);
        let outstanding = record.between(paused, resuming).bytes;
        assert!(outstanding <= 2 * quantum(RATE), "a chunk each, not {outstanding} bytes");
        // A chunk of the old limit is 20 ms; whoever had to be woken from one has long had it.
        let still = record.between(paused + ms(400), resuming).bytes;
        assert_eq!(still, 0, "nothing more passes");
        let again = record.between(resumed + ms(150), to);
        again.at_most() / RATE as f64
    });
}

#[test]
fn an_empty_group_cannot_be_changed() {
    let dir = WorkDir::new();
    for arguments in
        [&["--pause"][..], &["--resume"], &["--max-bandwidth", "1M"], &["--group", "10M", "--pause"]]
    {
        refuses(&dir, arguments);
    }
    assert_eq!(dir.names(), Vec::<String>::new(), "and none is made");
    output_of(dir.sabo(RATE).stdin(fs::File::open("/dev/null").unwrap()));
    refuses(&dir, &["--pause"]);
    refuses(&dir, &["--group", "10M", "--max-bandwidth", "1M"]);
}

#[test]
fn only_the_named_group_is_changed() {
    reaches(0.7, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let [ten, twenty] = [RATE, 2 * RATE].map(|rate| dir.flow(&meter, dir.sabo(rate), endless()));
        eventually("both are members", || {
            let members: usize = status::groups(&dir).iter().map(|group| group.members.len()).sum();
            (members == 2).then_some(())
        });
        ctl(&dir, &["--group", "20M", "--pause"]);
        let from = meter.now() + ms(200);
        sleep(ms(600));
        let to = meter.now();
        let record = meter.finish();
        assert_eq!(record.of(twenty.number, from, to).bytes, 0, "this one is paused");
        record.of(ten.number, from, to).at_most() / RATE as f64
    });
}

#[test]
fn who_joins_a_changed_group_is_told_and_a_new_group_knows_nothing_of_it() {
    let dir = WorkDir::new();
    let input = dir.beside().write("input", "some bytes");
    let newcomer = || dir.limited("10M").stdin(fs::File::open(&input).unwrap()).output().unwrap();
    let first = Process::spawn("sabo", dir.limited("10M").stdin(endless()));
    eventually("it is a member", || {
        status::groups(&dir).first().is_some_and(|group| group.members.len() == 1).then_some(())
    });
    ctl(&dir, &["--max-bandwidth", "5M"]);
    let told = newcomer();
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(stderr.contains("group 10M runs at 5M (sabo ctl)"), "{stderr}");
    assert_eq!((told.status.code(), &*told.stdout), (Some(0), &b"some bytes"[..]));
    ctl(&dir, &["--pause"]);
    drop(first); // killed
    let alone = newcomer();
    let stderr = String::from_utf8_lossy(&alone.stderr);
    assert!(
        alone.status.success() && !stderr.contains("runs at"),
        "what was said ended with the group: {stderr}"
    );
}

/// A sabo that has moved so many bytes and waits for more.
fn member(dir: &WorkDir, name: &str, bytes: usize) -> (Process, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let process = Process::spawn(name, dir.sabo(RATE).args(["--name", name]).stdin(reader));
    writer.write_all(&vec![b'x'; bytes]).unwrap();
    eventually("they have arrived", || (process.stdout().len() == bytes).then_some(()));
    (process, writer)
}

#[test]
fn the_numbers_of_the_status_agree_with_what_was_moved() {
    let dir = WorkDir::new();
    assert!(status::groups(&dir).is_empty(), "an empty directory has no groups");
    let sizes = [("small", 1_000), ("middle", 70_001), ("large", 200_003)];
    let running = sizes.map(|(name, bytes)| member(&dir, name, bytes));
    eventually("every member's bytes are known", || {
        let group = status::group_of(&dir);
        let known = |(process, size): (&(Process, PipeWriter), (&str, usize))| {
            group.members.iter().any(|member| {
                member.pid == u64::from(process.0.pid())
                    && member.name.as_deref() == Some(size.0)
                    && member.bytes == size.1 as u64
            })
        };
        let all = running.iter().zip(sizes).all(known);
        (all && group.members.len() == 3 && group.limit == RATE).then_some(())
    });
    for (mut process, writer) in running {
        drop(writer);
        assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    }
    let group = status::group_of(&dir);
    assert!(group.members.is_empty(), "{group:?}");
    assert_eq!((group.bytes, group.finished, group.failed), (271_004, 3, 0), "{group:?}");
}
