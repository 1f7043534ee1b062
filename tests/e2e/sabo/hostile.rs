//! Whoever may write the directory may slow a sabo down, and never make it lose a byte.

use std::fs::{self, File};
use std::io::{PipeWriter, Write, pipe};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use e2e::eventually::{PATIENCE, eventually, within};
use e2e::meter::Meter;
use e2e::pattern::Pattern;
use e2e::process::Process;
use e2e::programs::output_of;
use e2e::sabo::WorkDir;

const RATE: u64 = 50_000_000;
const TOTAL: usize = 500_003;

/// Runs a sabo to its end in a directory whose group file somebody has prepared; never longer than a while.
fn run(dir: &WorkDir) -> Output {
    let input = dir.beside().write("input", Pattern::new(3).take(TOTAL));
    let sabo = dir.sabo(RATE);
    let mut command = Command::new("timeout");
    command.arg("20").arg(sabo.get_program()).args(sabo.get_args()).stdin(File::open(input).unwrap());
    command.output().unwrap()
}

fn goes_on(what: &str, prepare: impl Fn(&Path)) {
    let dir = WorkDir::new();
    prepare(&dir.group(RATE));
    let output = run(&dir);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {} {stderr}", output.status);
    assert!(output.stdout == Pattern::new(3).take(TOTAL), "{what}: the bytes differ");
}

/// It says which file it does not trust and ends before it has moved anything; or it goes on and is right.
fn is_refused_or_goes_on(what: &str, prepare: impl Fn(&Path)) {
    let dir = WorkDir::new();
    prepare(&dir.group(RATE));
    let output = run(&dir);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        assert!(output.stdout == Pattern::new(3).take(TOTAL), "{what}: the bytes differ");
    } else {
        assert!(matches!(output.status.code(), Some(1 | 2)), "{what}: {} {stderr}", output.status);
        assert!(output.stdout.is_empty(), "{what}: refused after {} bytes", output.stdout.len());
        assert!(stderr.contains(&format!("sabo_{RATE}.group")), "{what}: it names the file: {stderr}");
    }
}

#[test]
fn a_file_that_is_no_group_is_made_anew() {
    goes_on("random bytes", |group| fs::write(group, Pattern::new(9).take(300_000)).unwrap());
    goes_on("an empty file", |group| fs::write(group, "").unwrap());
    goes_on("ten bytes", |group| fs::write(group, "0123456789").unwrap());
    goes_on("a tebibyte of nothing", |group| File::create(group).unwrap().set_len(1 << 40).unwrap());
}

#[test]
fn a_group_of_garbage_with_the_right_beginning_and_size_loses_nothing() {
    let real = WorkDir::new();
    assert!(run(&real).status.success());
    let content = fs::read(real.group(RATE)).unwrap();
    for (kept, seed) in [(8, 1), (16, 2), (32, 3), (64, 4), (4_096.min(content.len()), 5)] {
        goes_on(&format!("garbage after {kept} bytes"), |group| {
            let mut bytes = Pattern::new(seed).take(content.len());
            bytes[..kept].copy_from_slice(&content[..kept]);
            fs::write(group, bytes).unwrap();
        });
    }
    goes_on("half of a group", |group| fs::write(group, &content[..content.len() / 2]).unwrap());
    goes_on("a group and more", |group| fs::write(group, content.repeat(2)).unwrap());
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let dir = WorkDir::new();
    let victim = dir.beside().file("passwd");
    fs::copy("/etc/passwd", &victim).unwrap();
    is_refused_or_goes_on("a symbolic link", |group| std::os::unix::fs::symlink(&victim, group).unwrap());
    assert_eq!(fs::read(victim).unwrap(), fs::read("/etc/passwd").unwrap(), "what it led to is as it was");
}

#[test]
fn a_second_name_of_another_file_is_not_written_to() {
    let dir = WorkDir::new();
    let victim = dir.beside().write("victim", "a file of somebody else");
    is_refused_or_goes_on("a hard link", |group| fs::hard_link(&victim, group).unwrap());
    assert_eq!(fs::read_to_string(victim).unwrap(), "a file of somebody else");
}

#[test]
fn a_fifo_or_a_directory_hangs_nobody() {
    is_refused_or_goes_on("a fifo", |group| drop(output_of(Command::new("mkfifo").arg(group))));
    is_refused_or_goes_on("a directory", |group| fs::create_dir(group).unwrap());
}

#[test]
fn a_group_that_is_removed_is_joined_again_and_the_limit_is_still_shared() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let mut flows = dir.flows(&meter, RATE, 3);
    sleep(Duration::from_millis(500));
    fs::remove_file(dir.group(RATE)).unwrap();
    within(Duration::from_millis(1_800), "there is a group again", || dir.group(RATE).exists().then_some(()));
    // All have looked after a second. Whoever counted then took those who had not joined yet for originals, which
    // is counted again a second later, and holds for another one.
    sleep(Duration::from_millis(3_300));
    let from = meter.now();
    sleep(Duration::from_millis(700));
    let to = meter.now();
    let record = meter.finish();
    let passed = record.between(from, to);
    assert!(passed.at_least() <= 1.05 * RATE as f64, "one limit for all: {passed:?}");
    assert!(passed.at_most() >= 0.8 * RATE as f64, "and they go on: {passed:?}");
    assert!(flows.iter_mut().all(|flow| flow.process.exited().is_none()), "nobody gave up");
}

/// A sabo that has moved the first half and will be given the second.
fn halfway(dir: &WorkDir, bytes: &[u8]) -> (Process, File, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let file = File::options().read(true).write(true).create_new(true).open(dir.output()).unwrap();
    let sabo = dir.sabo(RATE);
    // Whoever starts it may have blocked what the kernel sends for a page that is gone.
    let mut command = Command::new("env");
    command.arg("--block-signal=BUS").arg(sabo.get_program()).args(sabo.get_args()).stdin(reader);
    let process = Process::spawn_into("sabo", &mut command, file.try_clone().unwrap());
    writer.write_all(bytes).unwrap();
    eventually("the first half arrives", || {
        (file.metadata().unwrap().size() == bytes.len() as u64).then_some(())
    });
    (process, file, writer)
}

#[test]
fn a_group_that_is_cut_off_under_its_members_loses_no_byte() {
    for length in [0, 64, 4_096] {
        let dir = WorkDir::new();
        let bytes = Pattern::new(4).take(2 * TOTAL);
        let (first, second) = bytes.split_at(TOTAL);
        let (mut process, mut file, mut writer) = halfway(&dir, first);
        let group = File::options().write(true).open(dir.group(RATE)).unwrap();
        group.set_len(length).unwrap();
        writer.write_all(second).unwrap();
        drop(writer);
        let status = process.wait(PATIENCE);
        assert!(status.success(), "cut to {length}: {status} {}", process.stderr());
        assert!(length != 0 || !process.stderr().is_empty(), "it says so");
        let mut arrived = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::Read::read_to_end(&mut file, &mut arrived).unwrap();
        assert!(arrived == bytes, "cut to {length}: the bytes differ");
    }
}

#[test]
fn a_work_dir_that_is_removed_loses_no_byte() {
    let dir = WorkDir::new();
    let bytes = Pattern::new(5).take(2 * TOTAL);
    let (first, second) = bytes.split_at(TOTAL);
    let (mut process, file, mut writer) = halfway(&dir, first);
    fs::remove_dir_all(dir.path()).unwrap();
    sleep(Duration::from_millis(1_200)); // it has looked for its group since
    writer.write_all(second).unwrap();
    drop(writer);
    assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    assert_eq!(file.metadata().unwrap().size(), bytes.len() as u64);
}
