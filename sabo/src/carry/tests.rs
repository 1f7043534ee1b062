use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::*;
use crate::member::Identity;

const FAST_ENOUGH: u64 = 1_000_000_000;

fn member(path: &Path, limit: u64) -> Member {
    Identity::plain(path, limit).join()
}

fn carry<'a>(source: &'a impl AsFd, sink: &'a impl AsFd, limit: u64) -> Carry<'a> {
    try_carry(source, sink, limit).unwrap()
}

fn try_carry<'a>(source: &'a impl AsFd, sink: &'a impl AsFd, limit: u64) -> Result<Carry<'a>, Broken> {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::of_this_kernel();
    let member = member(dir.path(), limit);
    Carry::new(source.as_fd(), sink.as_fd(), member, clock, Reporter::silent())
}

fn random(length: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| rand::random::<u64>().to_ne_bytes());
    words.flatten().take(length).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Pipe,
    File,
    Append,
    Socket,
    Terminal,
}

/// A source that gives `data`, and what feeds it.
fn source(is: Is, data: Vec<u8>) -> (OwnedFd, Option<std::thread::JoinHandle<()>>) {
    let feed = |mut to: File, data: Vec<u8>| std::thread::spawn(move || to.write_all(&data).unwrap());
    match is {
        Is::Pipe => {
            let (read, write) = pipe().unwrap();
            (read, Some(feed(File::from(write), data)))
        }
        Is::Socket => {
            let (read, write) = UnixStream::pair().unwrap();
            (read.into(), Some(feed(File::from(OwnedFd::from(write)), data)))
        }
        Is::File | Is::Append => {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &data).unwrap();
            (File::open(file.path()).unwrap().into(), None)
        }
        Is::Terminal => unreachable!("tested by itself"),
    }
}

/// A sink, and what tells what arrived once the sink is closed.
fn sink(is: Is) -> (OwnedFd, Box<dyn FnOnce() -> Vec<u8>>) {
    let drain = |mut from: File| -> Box<dyn FnOnce() -> Vec<u8>> {
        let reader = std::thread::spawn(move || {
            let mut arrived = Vec::new();
            // A terminal whose other side is closed gives EIO.
            let _ = from.read_to_end(&mut arrived);
            arrived
        });
        Box::new(move || reader.join().unwrap())
    };
    match is {
        Is::Pipe => {
            let (read, write) = pipe().unwrap();
            (write, drain(File::from(read)))
        }
        Is::Socket => {
            let (read, write) = UnixStream::pair().unwrap();
            (write.into(), drain(File::from(OwnedFd::from(read))))
        }
        Is::Terminal => {
            let (host, terminal) = terminal();
            (terminal, drain(File::from(host)))
        }
        Is::File | Is::Append => {
            let file = tempfile::NamedTempFile::new().unwrap();
            let open = File::options().write(true).append(is == Is::Append).open(file.path()).unwrap();
            (open.into(), Box::new(move || std::fs::read(file.path()).unwrap()))
        }
    }
}

/// Both sides of a terminal that passes bytes as they are.
fn terminal() -> (OwnedFd, OwnedFd) {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&host).unwrap();
    unlockpt(&host).unwrap();
    let name = ptsname(&host, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let terminal = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    let mut raw = rustix::termios::tcgetattr(&terminal).unwrap();
    raw.make_raw();
    rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &raw).unwrap();
    (host, terminal)
}

#[test]
fn every_byte_arrives_between_every_pair() {
    for from in [Is::Pipe, Is::File, Is::Socket] {
        for to in [Is::Pipe, Is::File, Is::Append, Is::Socket, Is::Terminal] {
            for length in [0, 1, 1_500_001] {
                let data = random(length);
                let (read, feeder) = source(from, data.clone());
                let (write, arrived) = sink(to);
                let mut carry = carry(&read, &write, FAST_ENOUGH);
                carry.run().unwrap();
                assert_eq!(carry.tally.bytes, length as u64);
                let splices = to == Is::Pipe || from == Is::Pipe && matches!(to, Is::File | Is::Socket);
                assert!(length == 0 || carry.mover.is_splicing() == splices, "{from:?} {to:?}");
                drop(carry);
                drop(write);
                assert!(arrived() == data, "{from:?} to {to:?}, {length} bytes");
                feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
            }
        }
    }
}

#[test]
fn a_terminal_is_read_until_its_end() {
    let (host, terminal) = terminal();
    let mut cooked = rustix::termios::tcgetattr(&terminal).unwrap();
    cooked.local_modes.insert(rustix::termios::LocalModes::ICANON);
    rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &cooked).unwrap();
    // A line, and the character that ends a terminal's input.
    rustix::io::write(&host, b"typed\n\x04").unwrap();
    let (write, arrived) = sink(Is::Pipe);
    carry(&terminal, &write, FAST_ENOUGH).run().unwrap();
    drop(write);
    assert_eq!(arrived(), b"typed\n");
}

#[test]
fn a_checksum_is_that_of_the_bytes() {
    let data = random(3_000_000);
    let (read, _feeder) = source(Is::Pipe, data.clone());
    let (write, arrived) = sink(Is::Pipe);
    let mut carry = carry(&read, &write, FAST_ENOUGH);
    carry.checksum();
    carry.run().unwrap();
    assert_eq!(carry.digest(), Some(sha256(&data)));
    drop(carry);
    drop(write);
    assert!(arrived() == data);
}

/// Somebody else who has the file open makes it append in the middle: splice fails with EINVAL from then on.
#[test]
fn the_change_to_read_and_write_in_the_middle_is_exact() {
    let data = random(4_000_000);
    let (read, feeder) = source(Is::Pipe, data.clone());
    let (write, arrived) = sink(Is::File);
    let mut carry = carry(&read, &write, FAST_ENOUGH);
    let mut steps = 0;
    loop {
        carry.wait_for(Ready::Source).unwrap();
        let allowed = carry.allowance();
        if carry.step(allowed).unwrap() == Moved::End {
            break;
        }
        steps += 1;
        if steps == 3 {
            assert!(carry.mover.is_splicing());
            fcntl_setfl(&write, fcntl_getfl(&write).unwrap() | OFlags::APPEND).unwrap();
        }
    }
    assert!(steps > 3 && !carry.mover.is_splicing());
    drop(carry);
    assert!(arrived() == data);
    feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
}

#[test]
fn descriptors_that_somebody_made_non_blocking_lose_nothing() {
    for (to, hashed) in [(Is::Pipe, true), (Is::Socket, true), (Is::Pipe, false), (Is::Socket, false)] {
        let data = random(1_000_000);
        let (read, feeder) = source(Is::Pipe, data.clone());
        let (write, arrived) = sink(to);
        for fd in [&read, &write] {
            fcntl_setfl(fd, fcntl_getfl(fd).unwrap() | OFlags::NONBLOCK).unwrap();
        }
        let mut carry = carry(&read, &write, FAST_ENOUGH);
        if hashed {
            carry.checksum();
        }
        carry.run().unwrap();
        drop(carry);
        drop(write);
        assert!(arrived() == data);
        feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
    }
}

#[test]
fn flags_of_inherited_descriptors_stay() {
    let (read, write) = pipe().unwrap();
    let (out, into) = pipe().unwrap();
    let before = [&read, &into].map(|fd| fcntl_getfl(fd).unwrap());
    drop(write);
    carry(&read, &into, FAST_ENOUGH).run().unwrap();
    assert_eq!([&read, &into].map(|fd| fcntl_getfl(fd).unwrap()), before);
    drop(out);
}

#[test]
fn who_failed_is_told() {
    let data = || source(Is::Pipe, vec![1; 100]).0;
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert!(matches!(carry(&data(), &full, FAST_ENOUGH).run(), Err(Broken::Sink(_))));
    let (read, write) = pipe().unwrap();
    drop(read);
    assert!(matches!(carry(&data(), &write, FAST_ENOUGH).run(), Err(Broken::Downstream)));
    let directory = File::open("/").unwrap();
    let null = File::options().write(true).open("/dev/null").unwrap();
    let broken = carry(&directory, &null, FAST_ENOUGH).run().unwrap_err();
    assert!(matches!(broken, Broken::Source(_)) && broken.to_string() == "reading stdin", "{broken}");
    let (_read, write) = pipe().unwrap();
    assert!(matches!(carry(&directory, &write, FAST_ENOUGH).run(), Err(Broken::Source(_))));
}

/// A read that is shorter than a packet throws the rest away (pipe(2), O_DIRECT).
#[test]
fn packets_of_a_pipe_are_whole_however_slow_it_goes() {
    let data = random(6_000);
    let (read, write) = pipe_with(PipeFlags::DIRECT).unwrap();
    for packet in data.chunks(3_000) {
        rustix::io::write(&write, packet).unwrap();
    }
    drop(write);
    let (sink, arrived) = sink(Is::Append);
    let mut carry = carry(&read, &sink, 20_000);
    carry.run().unwrap();
    assert!(carry.tally.waits.limit > SECOND / 5);
    drop(carry);
    assert!(arrived() == data);
}

/// 3 members, 20 kB/s: each gets a third, and together no window has more than it may.
#[test]
fn members_share_a_rate() {
    let dir = tempfile::tempdir().unwrap();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (read, feeder) = source(Is::Pipe, vec![0; 10_000]);
                let (write, arrived) = sink(Is::Pipe);
                let member = member(dir.path(), 20_000);
                let clock = Clock::of_this_kernel();
                Carry::new(read.as_fd(), write.as_fd(), member, clock, Reporter::silent())
                    .unwrap()
                    .run()
                    .unwrap();
                drop(write);
                assert_eq!(arrived().len(), 10_000);
                feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
            });
        }
    });
    // 30 kB, of which 2 ms and the last probe for the end are not waited for.
    assert!(begun.elapsed().as_secs_f64() > 1.45, "{:?}", begun.elapsed());
}

#[test]
fn what_would_never_end_or_be_cut_is_refused() {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), "a line").unwrap();
    let open = |append| File::options().read(true).write(true).append(append).open(path.path()).unwrap();
    let read_to = |file: File, at| {
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(at)).unwrap();
        OwnedFd::from(file)
    };
    let ((read, write), (other_read, other_write)) = (pipe().unwrap(), pipe().unwrap());
    let (datagrams, other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let table = [
        ("datagrams", datagrams.into(), other.into(), Some("reading stdin")),
        ("the wrong end of a pipe", write, other_write, Some("reading stdin")),
        ("the wrong end of another", read, other_read, Some("writing stdout")),
        ("cat < file >> file", open(false).into(), open(true).into(), Some("reading stdin")),
        ("the file, further on", open(false).into(), read_to(open(false), 1), Some("reading stdin")),
        ("the file over itself", open(false).into(), open(false).into(), None),
        ("the end of the file, appended", read_to(open(false), 6), open(true).into(), None),
    ];
    for (what, source, sink, side) in table {
        let carry = try_carry(&source, &sink, FAST_ENOUGH);
        assert_eq!(carry.err().map(|broken| broken.to_string()).as_deref(), side, "{what}");
    }
}
