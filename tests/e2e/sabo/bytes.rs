//! Every byte arrives, once and in order, whatever is at either end.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use e2e::eventually::{PATIENCE, eventually};
use e2e::pattern::{self, Pattern};
use e2e::process::Process;
use e2e::programs::output_of;
use e2e::sabo::{WorkDir, narrow_pipe, sha256};
use e2e::terminal::Terminal;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

const RATE: u64 = 40_000_000;
const TOTAL: usize = 2_000_003;
const SEED: u64 = 7;

fn expected() -> Vec<u8> {
    Pattern::new(SEED).take(TOTAL)
}

/// Writes the pattern into whatever a sabo reads at the other end of.
fn fed<W: Write + Send + 'static>(writer: W) -> JoinHandle<()> {
    thread::spawn(move || pattern::write(writer, SEED, TOTAL))
}

#[derive(Debug, Clone, Copy)]
enum Source {
    File,
    Pipe,
    Socket,
}

#[derive(Debug, Clone, Copy)]
enum Sink {
    File,
    Appended,
    Pipe,
    Socket,
}

impl Source {
    fn open(self, dir: &WorkDir) -> Stdio {
        match self {
            Source::File => File::open(dir.beside().write("input", expected())).unwrap().into(),
            Source::Pipe => {
                let (reader, writer) = pipe().unwrap();
                fed(writer);
                reader.into()
            }
            Source::Socket => {
                let (reader, writer) = UnixStream::pair().unwrap();
                fed(writer);
                OwnedFd::from(reader).into()
            }
        }
    }
}

impl Sink {
    /// Where it writes, and what there was in the end.
    fn open(self, output: PathBuf) -> (Stdio, JoinHandle<Vec<u8>>) {
        match self {
            Sink::File => (File::create(output).unwrap().into(), collected(&b""[..])),
            Sink::Appended => {
                fs::write(&output, "before").unwrap();
                (OpenOptions::new().append(true).open(output).unwrap().into(), collected(&b""[..]))
            }
            Sink::Pipe => {
                let (reader, writer) = pipe().unwrap();
                (writer.into(), collected(reader))
            }
            Sink::Socket => {
                let (reader, writer) = UnixStream::pair().unwrap();
                (OwnedFd::from(writer).into(), collected(reader))
            }
        }
    }
}

fn collected<R: Read + Send + 'static>(mut reader: R) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn arrives(source: Source, flags: &[&str]) {
    let expected = expected();
    for sink in [Sink::File, Sink::Appended, Sink::Pipe, Sink::Socket] {
        let dir = WorkDir::new();
        let output = dir.output();
        let (stdout, collected) = sink.open(output.clone());
        let mut command = dir.sabo(RATE);
        command.args(flags).stdin(source.open(&dir));
        let mut process = Process::spawn_into("sabo", &mut command, stdout);
        assert!(process.wait(PATIENCE).success(), "{source:?} to {sink:?}: {}", process.stderr());
        drop(command);
        let mut bytes = collected.join().unwrap();
        match sink {
            Sink::File => bytes = fs::read(output).unwrap(),
            Sink::Appended => bytes = fs::read(output).unwrap().split_off("before".len()),
            Sink::Pipe | Sink::Socket => {}
        }
        assert_eq!(bytes.len(), expected.len(), "{source:?} to {sink:?}");
        assert!(bytes == expected, "{source:?} to {sink:?}: the bytes differ");
    }
}

#[test]
fn every_byte_of_a_file_arrives() {
    arrives(Source::File, &[]);
}

#[test]
fn every_byte_of_a_pipe_arrives() {
    arrives(Source::Pipe, &[]);
}

#[test]
fn every_byte_of_a_socket_arrives() {
    arrives(Source::Socket, &[]);
}

#[test]
fn every_byte_arrives_when_sabo_looks_at_each() {
    arrives(Source::Pipe, &["--checksum", "sha256"]);
}

#[test]
fn every_byte_arrives_when_splice_stops_to_work_in_the_middle() {
    let dir = WorkDir::new();
    let (reader, mut writer) = pipe().unwrap();
    let output = dir.output();
    let file = File::create(&output).unwrap();
    let mut process = Process::spawn_into("sabo", dir.sabo(RATE).stdin(reader), file.try_clone().unwrap());
    let bytes = expected();
    let (first, rest) = bytes.split_at(TOTAL / 3);
    writer.write_all(first).unwrap();
    eventually("the first third arrived", || {
        (file.metadata().unwrap().len() == first.len() as u64).then_some(())
    });
    fcntl_setfl(&file, OFlags::APPEND).unwrap(); // from now on splice(2) is EINVAL
    writer.write_all(rest).unwrap();
    drop(writer);
    assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    assert!(fs::read(output).unwrap() == bytes, "the bytes differ");
}

/// What is read of a number in /proc/sys by one byte ends after that byte.
#[test]
fn a_low_limit_reads_a_file_of_proc_to_its_end() {
    let number = "/proc/sys/kernel/pid_max";
    let expected = fs::read_to_string(number).unwrap();
    assert!(expected.len() > 2, "more than a digit: {expected:?}");
    let dir = WorkDir::new();
    let input = || File::open(number).unwrap();
    assert_eq!(output_of(dir.sabo(50).stdin(input())), expected, "to a pipe");
    let output = dir.output();
    assert!(dir.sabo(50).stdin(input()).stdout(File::create(&output).unwrap()).status().unwrap().success());
    assert_eq!(fs::read_to_string(output).unwrap(), expected, "to a file");
}

#[test]
fn an_empty_input_is_an_empty_output_and_no_failure() {
    let dir = WorkDir::new();
    let empty = dir.beside().write("empty", "");
    for path in ["/dev/null", &empty] {
        let output = dir.sabo(RATE).stdin(File::open(path).unwrap()).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{path}: {output:?}");
    }
    let (reader, writer) = pipe().unwrap();
    drop(writer);
    let output = dir.sabo(RATE).stdin(reader).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "a closed pipe: {output:?}");
}

#[test]
fn descriptors_are_used_where_they_stand_and_left_where_sabo_stopped() {
    let dir = WorkDir::new();
    let mut input = File::open(dir.beside().write("input", expected())).unwrap();
    input.seek(SeekFrom::Start(1_000)).unwrap();
    let output = dir.output();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"printf head; cat | "$@"; printf tail"#, "sh"]);
    let sabo = dir.sabo(RATE);
    shell.arg(sabo.get_program()).args(sabo.get_args());
    assert!(shell.stdin(input).stdout(File::create(&output).unwrap()).status().unwrap().success());
    let bytes = [b"head", &expected()[1_000..], b"tail"].concat();
    assert!(fs::read(output).unwrap() == bytes, "head, the bytes from the thousandth on, tail");
}

#[test]
fn non_blocking_ends_lose_nothing_and_blocking_ends_stay_so() {
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        let dir = WorkDir::new();
        let ((stdin, feeder), (sink, stdout)) = (narrow_pipe(), narrow_pipe());
        let ends: [OwnedFd; 2] = [stdin.try_clone().unwrap().into(), stdout.try_clone().unwrap().into()];
        for end in &ends {
            let others = fcntl_getfl(end).unwrap() - OFlags::NONBLOCK;
            fcntl_setfl(end, others | flags).unwrap();
        }
        fed(feeder);
        let mut process = Process::spawn_into("sabo", dir.sabo(RATE).stdin(stdin), stdout);
        pattern::read(&sink, SEED, TOTAL);
        assert!(process.wait(PATIENCE).success(), "{flags:?}: {}", process.stderr());
        for end in &ends {
            assert_eq!(fcntl_getfl(end).unwrap() & OFlags::NONBLOCK, flags, "as it was");
        }
    }
}

#[test]
fn what_is_typed_arrives_and_what_is_shown_is_whole() {
    let dir = WorkDir::new();
    let (typing, showing) = (Terminal::new(), Terminal::new());
    typing.edit_lines();
    let mut process = Process::spawn_into("sabo", dir.sabo(RATE).stdin(typing.end()), showing.end());
    let text: String = (0..400).map(|line| format!("line {line} of what somebody types\n")).collect();
    (&typing.keyboard).write_all(text.as_bytes()).unwrap();
    eventually("all lines are shown", || (showing.bytes().len() == text.len()).then_some(()));
    (&typing.keyboard).write_all(b"\x04").unwrap();
    assert!(process.wait(PATIENCE).success(), "{}", process.stderr());
    assert_eq!(showing.text(), text);
}

#[test]
fn the_checksum_in_the_statistics_is_sha256sums() {
    let dir = WorkDir::new();
    let input = PathBuf::from(dir.beside().write("input", expected()));
    let mut command = dir.sabo(RATE);
    command.args(["--stats", "--checksum", "sha256"]).stdin(File::open(&input).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stdout == expected(), "{}", output.status);
    let (stderr, sum) = (String::from_utf8_lossy(&output.stderr).into_owned(), sha256(&input));
    assert!(stderr.to_lowercase().contains(&sum), "{sum} is in {stderr}");
}

#[test]
fn sync_takes_nothing_away() {
    let dir = WorkDir::new();
    let input = dir.beside().write("input", expected());
    let output = dir.output();
    let mut command = dir.sabo(RATE);
    command.arg("--sync").stdin(File::open(&input).unwrap());
    assert!(command.stdout(File::create(&output).unwrap()).status().unwrap().success());
    assert_eq!(sha256(&output), sha256(Path::new(&input)));
}

#[test]
fn a_limit_is_spelt_as_the_original_had_it() {
    let spellings = [
        "40000000",
        "40M",
        "40mb",
        "40 MB",
        "0.04g",
        "39062.5KiB",
        "38.2MiB",
        "40,000,000",
        "320Mbit",
        "40 m",
    ];
    for limit in spellings {
        let dir = WorkDir::new();
        let mut command = dir.limited(limit);
        let input = File::open(dir.beside().write("input", "some bytes")).unwrap();
        assert_eq!(output_of(command.stdin(input)), "some bytes", "{limit}");
    }
}
