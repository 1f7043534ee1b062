//! What people do over tunnels goes on over cuts: a transaction, a shell, a copy.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::cutter::{How, Plan};
use e2e::mariadb::{session, shared};
use e2e::pattern::Pattern;
use e2e::programs::output_of;
use e2e::scratch::Scratch;
use e2e::sshd::Sshd;

use super::Path;

/// A program that is told a line and answers with one.
pub(super) struct Talk {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Talk {
    pub(super) fn with(mut command: Command) -> Talk {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Talk { child, stdin, stdout }
    }

    pub(super) fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    pub(super) fn end(mut self) {
        drop(self.stdin);
        assert!(self.child.wait().unwrap().success());
    }
}

/// A session with the database that prints each result at once.
pub(super) fn mariadb(path: std::net::SocketAddr) -> Talk {
    let mut command = session(path);
    command.arg("--unbuffered");
    Talk::with(command)
}

/// Ten cuts, each kind in turn.
fn ten() -> impl Iterator<Item = How> {
    [How::Reset, How::Close, How::OnlyClient].into_iter().cycle().take(10)
}

#[test]
fn a_transaction_goes_on_over_ten_cuts() {
    let database = shared();
    let path = Path::to(database.address);
    output_of(&mut database.direct("CREATE TABLE cut (id INT PRIMARY KEY) ENGINE=InnoDB"));
    let mut talk = mariadb(path.client.address);
    for (first, end, rows) in [(0, "COMMIT", "10"), (100, "ROLLBACK", "10")] {
        assert_eq!(talk.ask("START TRANSACTION; SELECT 'begun';"), "begun");
        for (row, how) in ten().enumerate() {
            let row = first + row;
            assert_eq!(talk.ask(&format!("INSERT INTO cut VALUES ({row}); SELECT {row};")), row.to_string());
            path.cut_and_wait(how);
        }
        assert_eq!(talk.ask(&format!("{end}; SELECT COUNT(*) FROM cut;")), rows, "{end}");
        let seen = output_of(&mut database.direct("SELECT COUNT(*), SUM(id) FROM cut"));
        assert_eq!(seen, "10\t45\n", "{end}");
    }
    talk.end();
    assert_eq!(path.audited("close", 1)["resumes"], 20);
}

#[test]
fn a_shell_goes_on_over_ten_cuts() {
    let sshd = Sshd::start();
    let path = Path::to(sshd.address);
    let mut talk = Talk::with(sshd.ssh(path.client.address, "while read line; do echo you said $line; done"));
    for (number, how) in ten().enumerate() {
        assert_eq!(talk.ask(&format!("number {number}")), format!("you said number {number}"));
        path.cut_and_wait(how);
    }
    assert_eq!(talk.ask("the end"), "you said the end");
    talk.end();
    assert_eq!(path.audited("close", 1)["resumes"], 10);
}

#[test]
fn a_copy_of_500_mb_goes_on_over_a_cut_every_second() {
    const MB: u64 = 1_000_000;
    let sshd = Sshd::start();
    let path = Path::to(sshd.address);
    let scratch = Scratch::new();
    let (here, there) = (scratch.file("here"), scratch.file("there"));
    write_blocks(&here, 500);
    path.cutter.follow(Plan { rate: Some(60 * MB), ..Plan::default() });
    let mut copying = sshd.scp(path.client.address, &here, &format!("127.0.0.1:{there}")).spawn().unwrap();
    let mut due = Instant::now();
    let status = loop {
        if let Some(status) = copying.try_wait().unwrap() {
            break status;
        }
        if due.elapsed() >= Duration::from_secs(1) && path.cutter.counts().up > MB {
            path.cutter.cut(How::Reset);
            due = Instant::now();
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let sums = output_of(Command::new("sha256sum").args([&here, &there]));
    let sums: Vec<_> = sums.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(sums[0], sums[1]);
    let closed = path.audited("close", 1);
    assert!(closed["resumes"].as_u64().unwrap() >= 5, "{closed}");
}

/// So many million bytes, of which no thousand occurs twice.
fn write_blocks(file: &str, millions: u32) {
    let block = Pattern::new(500).take(1000);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    for number in 0..millions * 1000 {
        file.write_all(&number.to_be_bytes()).unwrap();
        file.write_all(&block[4..]).unwrap();
    }
    file.flush().unwrap();
}
