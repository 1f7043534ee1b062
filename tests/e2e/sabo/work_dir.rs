//! A start that cannot be right ends with status 2 and the fix; one that may be wrong is noted.

use std::fs::{self, File};
use std::process::Output;
use std::time::{Duration, Instant};

use e2e::eventually::eventually;
use e2e::process::Process;
use e2e::programs::output_of;
use e2e::sabo::{WorkDir, endless};

const RATE: u64 = 10_000_000;

fn run(dir: &WorkDir, limit: &str, flags: &[&str]) -> Output {
    let input = File::open(dir.beside().write("input", "some bytes")).unwrap();
    dir.limited(limit).args(flags).stdin(input).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_work_dir_is_status_2_and_create_makes_it() {
    let dir = WorkDir::new();
    fs::remove_dir(dir.path()).unwrap();
    let output = run(&dir, "10M", &[]);
    let stderr = stderr(&output);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    for (tool, flags) in [("status", &[][..]), ("top", &[]), ("ctl", &["--pause"])] {
        let output = dir.about(tool).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{tool}: {output:?}");
    }
    assert!(
        stderr.contains("--create") && stderr.contains(&*dir.path().to_string_lossy()),
        "the fix: {stderr}"
    );
    assert!(!dir.path().exists(), "it was not asked for");
    let output = run(&dir, "10M", &["--create"]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"some bytes"[..]));
    assert!(run(&dir, "10M", &["--create"]).status.success(), "it may be there");
}

#[test]
fn a_file_is_no_work_dir() {
    let dir = WorkDir::new();
    fs::remove_dir(dir.path()).unwrap();
    fs::write(dir.path(), "mine").unwrap();
    for flags in [&[][..], &["--create"]] {
        let output = run(&dir, "10M", flags);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(&*dir.path().to_string_lossy()), "{}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(dir.path()).unwrap(), "mine");
}

#[test]
fn what_is_no_limit_is_status_2() {
    let dir = WorkDir::new();
    for limit in ["", "0", "0.4", "fast", "10X", "NaN", "99999999999999999999999E"] {
        let output = run(&dir, limit, &[]);
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{limit:?}: {}",
            stderr(&output)
        );
        assert!(stderr(&output).contains("--max-bandwidth"), "{limit:?}: {}", stderr(&output));
    }
    for flags in [["--weight", "0"], ["--weight", "11"], ["--schedule", "25:00,1M"], ["--progress", "much"]] {
        let output = run(&dir, "10M", &flags);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(flags[0]), "{flags:?}: {}", stderr(&output));
    }
    assert_eq!(dir.names(), Vec::<String>::new(), "nobody was here");
}

#[test]
fn one_byte_a_second_is_a_limit() {
    let dir = WorkDir::new();
    let input = File::open(dir.beside().write("input", "ab")).unwrap();
    let start = Instant::now();
    assert_eq!(output_of(dir.sabo(1).stdin(input)), "ab");
    assert!(start.elapsed() >= Duration::from_millis(1_990), "2 bytes took {:?}", start.elapsed());
}

#[test]
fn no_limit_is_so_high_that_bytes_are_lost() {
    let dir = WorkDir::new();
    for limit in ["100G", "9E"] {
        let output = run(&dir, limit, &[]);
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"some bytes"[..]), "{limit}");
    }
}

#[test]
fn another_limit_in_the_directory_is_noted_once() {
    let dir = WorkDir::new();
    let alone = run(&dir, "20M", &[]);
    assert_eq!(stderr(&alone), "", "nobody else is here");
    let _other = Process::spawn("sabo", dir.sabo(RATE).stdin(endless()));
    eventually("the other is here", || (!dir.locks().is_empty()).then_some(()));
    let output = run(&dir, "20M", &[]);
    let stderr = stderr(&output);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"some bytes"[..]));
    assert_eq!(
        stderr.lines().filter(|line| line.contains("10M")).count(),
        1,
        "both limits, once: {stderr:?}"
    );
    let same = run(&dir, "10M", &[]);
    assert_eq!(self::stderr(&same), "", "the same limit is no other");
}

#[test]
fn a_member_without_one_budget_is_warned_of() {
    let dir = WorkDir::new();
    let _other = Process::spawn("sabo", dir.sabo(RATE).stdin(endless()));
    eventually("the other is here", || (!dir.locks().is_empty()).then_some(()));
    let output = run(&dir, "20M", &["--one-budget"]);
    assert!(output.status.success() && stderr(&output).contains("--one-budget"), "{}", stderr(&output));
}
