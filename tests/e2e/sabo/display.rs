//! What sabo shows: progress, statistics, a live table.

use std::fs::File;
use std::io::{Write, pipe};
use std::process::{Command, Output, Stdio};

use e2e::eventually::{PATIENCE, eventually};
use e2e::process::{Process, Signal};
use e2e::programs::{output_of, program};
use e2e::sabo::{WorkDir, endless};
use e2e::terminal::Terminal;
use serde_json::Value;

const RATE: u64 = 1_000_000;
const TOTAL: usize = 1_400_000;
/// What every form of the statistics says, beside the bytes.
const STATISTICS: [&str; 3] = ["source", "sink", "limit"];
/// The field of `--progress json` with the bytes moved so far.
const PROGRESS_BYTES: &str = "bytes";
const FLAGS: [&str; 13] = [
    "--max-bandwidth",
    "--work-dir",
    "--create",
    "--weight",
    "--name",
    "--size",
    "--progress",
    "--stats",
    "--schedule",
    "--one-budget",
    "--checksum",
    "--expect-min",
    "--sync",
];

fn run(dir: &WorkDir, flags: &[&str]) -> Output {
    let input = dir.beside().write("input", vec![b'x'; TOTAL]);
    let output = dir.sabo(RATE).args(flags).stdin(File::open(input).unwrap()).output().unwrap();
    assert!(output.status.success(), "{flags:?}: {output:?}");
    assert!(output.stdout == vec![b'x'; TOTAL], "{flags:?}: what is shown is not in the data");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a line of statistics has this count, however its digits are grouped.
fn says(line: &str, bytes: usize) -> bool {
    let plain = line.replace([',', '_', '\''], "");
    let is_number = |word: &str| word == bytes.to_string();
    plain.split(|symbol: char| !symbol.is_ascii_digit()).any(is_number)
        && STATISTICS.iter().all(|word| line.to_lowercase().contains(word))
}

#[test]
fn nothing_is_said_unasked() {
    assert_eq!(text(&run(&WorkDir::new(), &[]).stderr), "");
}

#[test]
fn the_last_line_has_the_statistics() {
    let stderr = text(&run(&WorkDir::new(), &["--stats"]).stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.len() == 1 && says(lines[0], TOTAL), "one line, with bytes and waits: {stderr}");
    let stderr = text(&run(&WorkDir::new(), &["--stats", "--progress", "always"]).stderr);
    assert!(stderr.lines().next_back().is_some_and(|line| says(line, TOTAL)), "last: {stderr}");
}

#[test]
fn sigusr1_prints_the_statistics_and_changes_nothing() {
    let dir = WorkDir::new();
    let (reader, mut writer) = pipe().unwrap();
    let mut process = Process::spawn("sabo", dir.sabo(RATE).stdin(reader));
    let mut total = 0;
    for bytes in [12_345, 1_000] {
        writer.write_all(&vec![b'x'; bytes]).unwrap();
        total += bytes;
        eventually("they have arrived", || (process.stdout().len() == total).then_some(()));
        process.signal(Signal::USR1);
        eventually("it says how many", || {
            process.stderr().lines().any(|line| says(line, total)).then_some(())
        });
    }
    drop(writer);
    assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    assert_eq!(process.stdout().len(), total);
}

#[test]
fn progress_can_be_had_as_json() {
    let stderr = text(&run(&WorkDir::new(), &["--progress", "json", "--size", "1.4M"]).stderr);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = stderr.lines().map(parse).collect();
    assert!(!lines.is_empty(), "a run of 1.4 s says something");
    let bytes: Vec<u64> = lines.iter().map(|line| line[PROGRESS_BYTES].as_u64().unwrap()).collect();
    assert!(bytes.is_sorted() && bytes.iter().all(|bytes| *bytes <= TOTAL as u64), "{bytes:?}");
    assert!(bytes.iter().any(|bytes| *bytes > 0), "{bytes:?}");
}

#[test]
fn a_bar_is_drawn_where_it_is_wanted() {
    let always = text(&run(&WorkDir::new(), &["--progress", "always", "--size", "1.4M"]).stderr);
    assert!(always.contains('%') && always.contains("/s"), "part and rate: {always:?}");
    for flags in [&["--progress", "auto"][..], &["--progress", "never"]] {
        assert_eq!(text(&run(&WorkDir::new(), flags).stderr), "", "{flags:?} into a pipe");
    }
    assert!(on_a_terminal(&[]).contains("/s"), "auto is the default, and this is a terminal");
    assert_eq!(on_a_terminal(&["--progress", "never"]), "");
}

/// What a run with these flags shows on the terminal that is its stderr.
fn on_a_terminal(flags: &[&str]) -> String {
    let (dir, terminal) = (WorkDir::new(), Terminal::new());
    let input = dir.beside().write("input", vec![b'x'; TOTAL]);
    let mut command = dir.sabo(RATE);
    command.args(flags).stdin(File::open(input).unwrap()).stdout(Stdio::null()).stderr(terminal.end());
    assert!(command.status().unwrap().success());
    terminal.text()
}

#[test]
fn top_shows_everybody_who_is_here() {
    let dir = WorkDir::new();
    let names = ["orders", "customers", "invoices", "audit"];
    let _pipes =
        names.map(|name| Process::spawn(name, dir.sabo(RATE).args(["--name", name]).stdin(endless())));
    eventually("all are there", || (dir.locks().len() == names.len()).then_some(()));
    let terminal = Terminal::new();
    let mut command = dir.about("top");
    let mut top = Process::spawn_into("top", command.stdin(terminal.end()), terminal.end());
    eventually("all are shown", || {
        assert_eq!(top.exited(), None, "it runs until somebody ends it: {}", top.stderr());
        names.iter().all(|name| terminal.text().contains(name)).then_some(())
    });
    top.signal(Signal::TERM);
    top.wait(PATIENCE);
}

#[test]
fn the_help_names_every_flag_and_word() {
    let help = output_of(Command::new(program("sabo")).arg("--help"));
    for word in FLAGS.into_iter().chain(["top", "ctl", "status"]) {
        assert!(help.contains(word), "{word}: {help}");
    }
}
