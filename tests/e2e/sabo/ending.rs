//! Status 0 means that everything arrived, and everything else does not.

use std::fs::{self, File};
use std::io::{PipeWriter, Seek, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::eventually::{PATIENCE, eventually};
use e2e::process::{Process, Signal};
use e2e::programs::{needed, output_of};
use e2e::sabo::{WorkDir, endless, narrow_pipe, status};

const RATE: u64 = 40_000_000;
const PROMPT: Duration = Duration::from_secs(2);
/// How a message names the side that failed.
const SOURCE: [&str; 2] = ["stdin", "standard input"];
const SINK: [&str; 2] = ["stdout", "standard output"];

/// sabo behind a line of the shell, in which `"$@"` is sabo with its arguments.
fn shell(line: &str, sabo: &Command) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash"]).arg(sabo.get_program()).args(sabo.get_args());
    command
}

/// Asserts status 1 and a message that names this side and not the other.
fn fails(mut command: Command, side: [&str; 2], what: &str) {
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
    assert!(side.iter().any(|name| stderr.contains(name)), "{what} names {side:?}: {stderr}");
    let other = if side == SOURCE { SINK } else { SOURCE };
    assert!(!other.iter().any(|name| stderr.contains(name)), "{what} is not {other:?}: {stderr}");
}

#[test]
fn a_source_that_cannot_be_read_is_status_1() {
    let dir = WorkDir::new();
    let mut command = dir.sabo(RATE);
    command.stdin(File::open(dir.path()).unwrap()).stdout(Stdio::null());
    fails(command, SOURCE, "a directory");
}

#[test]
fn a_full_device_is_status_1() {
    let dir = WorkDir::new();
    for source in [Stdio::from(endless()), File::open("/dev/zero").unwrap().into()] {
        let mut command = dir.sabo(RATE);
        command.stdin(source).stdout(File::options().write(true).open("/dev/full").unwrap());
        fails(command, SINK, "/dev/full");
    }
}

#[test]
fn a_disk_that_gets_full_is_status_1() {
    assert!(rustix::process::geteuid().is_root(), "only root can mount a small file system: run it as root");
    let dir = WorkDir::new();
    let disk = dir.beside().file("disk");
    fs::create_dir(&disk).unwrap();
    let line = r#"mount -t tmpfs -o size=256k none "$0" && exec "$@" >"$0/dump.sql""#;
    let sabo = dir.sabo(RATE);
    let mut command = Command::new(needed("unshare", "util-linux"));
    command.args(["--mount", "sh", "-c", line, &disk]).arg(sabo.get_program()).args(sabo.get_args());
    command.stdin(endless());
    fails(command, SINK, "a full disk");
}

#[test]
fn a_file_as_large_as_ulimit_allows_is_status_1() {
    let dir = WorkDir::new();
    let mut command = shell(r#"ulimit -f 512; exec "$@""#, &dir.sabo(RATE));
    command.stdin(endless()).stdout(File::create(dir.output()).unwrap());
    fails(command, SINK, "ulimit -f");
    assert_eq!(dir.locks(), Vec::<String>::new());
}

#[test]
fn a_closed_stdin_is_status_1() {
    let dir = WorkDir::new();
    fails(shell(r#"exec "$@" <&- >/dev/null"#, &dir.sabo(RATE)), SOURCE, "<&-");
}

#[test]
fn a_closed_stdout_is_status_1_and_nothing_is_read() {
    let dir = WorkDir::new();
    let mut input = File::open(dir.beside().write("input", "not to be lost")).unwrap();
    let mut command = shell(r#"exec "$@" >&-"#, &dir.sabo(RATE));
    command.stdin(input.try_clone().unwrap());
    fails(command, SINK, ">&-");
    assert_eq!(input.stream_position().unwrap(), 0, "nothing was read");
}

#[test]
fn a_closed_stderr_loses_nothing() {
    let dir = WorkDir::new();
    let mut command = shell(r#"exec "$@" --stats 2>&-"#, &dir.sabo(RATE));
    let input = File::open(dir.beside().write("input", "every byte")).unwrap();
    assert_eq!(output_of(command.stdin(input)), "every byte");
    for name in dir.names() {
        let content = fs::read(dir.path().join(&name)).unwrap();
        assert!(!content.windows(5).any(|word| word == b"bytes"), "no statistics in {name}");
    }
}

#[test]
fn nobody_downstream_is_death_of_sigpipe() {
    let dir = WorkDir::new();
    let mut command = shell(r#""$@" | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}""#, &dir.sabo(RATE));
    assert_eq!(output_of(command.stdin(endless())), "141\n");
    assert_eq!(dir.locks(), Vec::<String>::new());
}

#[test]
fn less_than_was_expected_is_status_3() {
    let dir = WorkDir::new();
    for (least, code) in [("10", 0), ("11", 3), ("1M", 3)] {
        let input = File::open(dir.beside().write("input", "ten bytes.")).unwrap();
        let output = dir.sabo(RATE).args(["--expect-min", least]).stdin(input).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{least}: {output:?}");
        assert_eq!(output.stdout, b"ten bytes.", "what there was arrived");
        assert_eq!(output.stderr.is_empty(), code == 0, "{least}: {output:?}");
    }
}

/// A sabo that has moved one byte and now waits for the next.
fn waiting(dir: &WorkDir, mut command: Command) -> (Process, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let mut process = Process::spawn("sabo", command.stdin(reader));
    writer.write_all(b"a").unwrap();
    eventually("the first byte arrives", || {
        assert_eq!(process.exited(), None, "it runs: {}", process.stderr());
        process.stdout().starts_with('a').then_some(())
    });
    assert_eq!(dir.locks().len(), 1, "its lock file is there: {:?}", dir.names());
    (process, writer)
}

#[test]
fn a_signal_in_silence_ends_it_at_once_and_leaves_no_lock_file() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let dir = WorkDir::new();
        // Whoever runs the tests with nohup or `&` has some of them ignored.
        let line = r#"exec env --default-signal=TERM,INT,HUP "$@""#;
        let (mut process, _writer) = waiting(&dir, shell(line, &dir.sabo(RATE)));
        process.signal(signal);
        assert_eq!(process.wait(PROMPT).signal(), Some(signal.as_raw()), "it dies of what it was sent");
        assert_eq!(dir.locks(), Vec::<String>::new(), "{signal:?}");
        let group = status::group_of(&dir);
        assert_eq!((group.failed, group.finished, group.members.len()), (1, 0, 0), "{signal:?}: {group:?}");
    }
}

#[test]
fn a_signal_ends_it_while_it_waits_for_its_sink_or_for_the_limit() {
    let dir = WorkDir::new();
    let (_reader, writer) = narrow_pipe();
    let blocked = Process::spawn_into("sabo", dir.sabo(RATE).stdin(endless()), writer);
    let limited = Process::spawn("sabo", dir.sabo(1).stdin(endless()));
    eventually("both are there", || (dir.locks().len() == 2).then_some(()));
    std::thread::sleep(Duration::from_millis(200)); // the pipe is full by now, or the test is easier
    for mut process in [blocked, limited] {
        process.signal(Signal::TERM);
        assert_eq!(process.wait(PROMPT).signal(), Some(Signal::TERM.as_raw()));
    }
    assert_eq!(dir.locks(), Vec::<String>::new());
}

/// The kernel keeps the first process of a container from dying of a signal that it sends itself.
#[test]
fn a_signal_ends_it_as_the_first_process_of_a_container() {
    let dir = WorkDir::new();
    let sabo = dir.sabo(RATE);
    let mut command = Command::new(needed("unshare", "util-linux"));
    command.args(["--pid", "--fork", "--kill-child"]).arg(sabo.get_program()).args(sabo.get_args());
    let (mut process, _writer) = waiting(&dir, command);
    let children = format!("/proc/{0}/task/{0}/children", process.pid());
    let sabo = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let sabo = rustix::process::Pid::from_raw(sabo).unwrap();
    rustix::process::kill_process(sabo, Signal::TERM).unwrap();
    assert_eq!(process.wait(PROMPT).code(), Some(128 + Signal::TERM.as_raw()));
    assert_eq!(dir.locks(), Vec::<String>::new());
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let ignoring = [(Signal::HUP, r#"exec nohup "$@""#), (Signal::INT, r#"trap "" INT; exec "$@""#)];
    for (signal, line) in ignoring {
        let dir = WorkDir::new();
        let (mut process, mut writer) = waiting(&dir, shell(line, &dir.sabo(RATE)));
        process.signal(signal);
        writer.write_all(b"b").unwrap();
        eventually("it goes on", || (process.stdout() == "ab").then_some(()));
        drop(writer);
        assert!(process.wait(PATIENCE).success(), "{signal:?}");
    }
}

#[test]
fn a_run_that_ended_well_is_counted_and_leaves_only_the_group() {
    let dir = WorkDir::new();
    let (mut process, writer) = waiting(&dir, dir.sabo(RATE));
    drop(writer);
    assert!(process.wait(PATIENCE).success());
    assert_eq!(dir.names(), [format!("sabo_{RATE}.group")]);
    let group = status::group_of(&dir);
    assert_eq!((group.failed, group.finished, group.bytes), (0, 1, 1), "{group:?}");
}

#[test]
fn a_killed_run_is_counted_as_failed() {
    let dir = WorkDir::new();
    let (mut process, _writer) = waiting(&dir, dir.sabo(RATE));
    process.signal(Signal::KILL);
    process.wait(PATIENCE);
    let input = File::open(dir.beside().write("input", "the next run")).unwrap();
    assert_eq!(output_of(dir.sabo(RATE).stdin(input)), "the next run");
    let group = status::group_of(&dir);
    assert_eq!((group.failed, group.finished), (1, 1), "{group:?}");
}
