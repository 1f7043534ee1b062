//! A MySQL session through the tunnel, with a real MariaDB at the end and real balancers in between.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use e2e::balancer::Balancer;
use e2e::certificate::Authority;
use e2e::mariadb::{BIG_ROWS, MariaDb, session, shared, through};
use e2e::programs::{Client, Gateway, Pair, output_of};

const MIB: usize = 1024 * 1024;
const BIG: &str = "SELECT body FROM big ORDER BY id";

#[test]
fn a_transaction_is_committed_and_another_rolled_back() {
    let database = shared();
    let pair = Pair::to(database.address);
    let sql = "START TRANSACTION; INSERT INTO account VALUES (1, 100); COMMIT;
               START TRANSACTION; UPDATE account SET amount = 0 WHERE id = 1;
               SELECT amount FROM account WHERE id = 1; ROLLBACK;
               SELECT amount FROM account WHERE id = 1";
    assert_eq!(output_of(&mut through(pair.client.address, sql)), "0\n100\n", "seen within, seen after");
    let after = output_of(&mut database.direct("SELECT amount FROM account WHERE id = 1"));
    assert_eq!(after, "100\n", "the commit arrived, the rollback too");
}

#[test]
fn a_wrong_password_is_mariadbs_own_error() {
    let pair = Pair::to(shared().address);
    let output = through(pair.client.address, "SELECT 1").env("MYSQL_PWD", "wrong").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Access denied"), "{output:?}");
}

#[test]
fn a_result_of_50_mb_arrives_whole() {
    let database = shared();
    let pair = Pair::to(database.address);
    assert_eq!(digest(through(pair.client.address, BIG)), expected(database));
}

#[test]
fn a_value_longer_than_a_full_packet_arrives_whole_both_ways() {
    let pair = Pair::to(shared().address);
    let length = 20 * MIB; // more than the 16 MiB of one packet of the protocol
    let sql =
        format!("SET @v = '{}'; SELECT LENGTH(@v), MD5(@v), @v", "0123456789abcdef".repeat(length / 16));
    let mut command = session(pair.client.address);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let fields: Vec<&str> = line.trim_end().split('\t').collect();
    assert_eq!(fields[0], length.to_string());
    assert_eq!(fields[2].len(), length);
    assert_eq!(fields[1], md5(fields[2].as_bytes()), "as the server saw it and as it came back");
}

#[test]
fn twenty_sessions_run_side_by_side() {
    let pair = Pair::to(shared().address);
    let sessions: Vec<_> = (0..20)
        .map(|session| {
            // Each holds its own user variable and must read its own back after the others ran.
            let sql = format!(
                "SET @mine = {session}; SELECT SLEEP(0.2); SELECT @mine, LENGTH(body) FROM big WHERE id = 1"
            );
            let mut command = through(pair.client.address, &sql);
            thread::spawn(move || (session, output_of(&mut command)))
        })
        .collect();
    for session in sessions {
        let (session, output) = session.join().unwrap();
        assert_eq!(output, format!("0\n{session}\t{MIB}\n"));
    }
}

#[test]
fn a_session_passes_through_nginx_plain_and_with_tls() {
    let database = shared();
    let gateway = Gateway::start(&format!("db,{}\n", database.address), &[]);
    let authority = Authority::new();
    let nginx = Balancer::nginx(gateway.address, &authority);
    let plain = Client::start(&nginx.url("db"), &[]);
    short_session(&plain);
    let tls = format!("{}/proxy/db", nginx.https.as_deref().unwrap());
    let tls = Client::start(&tls, &["--ca", &authority.ca()]);
    short_session(&tls);
}

#[test]
fn a_session_passes_through_haproxy() {
    let gateway = Gateway::start(&format!("db,{}\n", shared().address), &[]);
    let haproxy = Balancer::haproxy(gateway.address);
    short_session(&Client::start(&haproxy.url("db"), &[]));
}

#[test]
fn a_reader_that_sleeps_30_seconds_in_the_middle_of_a_result_gets_everything() {
    let database = shared();
    let pair = Pair::with_flags(database.address, &["--write-timeout", "2s"], &[]);
    let mut child = through(pair.client.address, BIG).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut hasher = Md5::start();
    let mut first = vec![0; MIB];
    stdout.read_exact(&mut first).unwrap();
    hasher.feed(&first);
    thread::sleep(Duration::from_secs(30)); // what this test is about: payload has no time-out
    let length = MIB + hasher.feed_from(&mut stdout);
    assert!(child.wait().unwrap().success());
    assert_eq!((length, hasher.finish()), expected(database));
}

fn short_session(client: &Client) {
    let sql = "SELECT LENGTH(body), MD5(body) FROM big WHERE id = 7; SELECT body FROM big WHERE id = 7";
    let output = output_of(&mut through(client.address, sql));
    let (line, body) = output.split_once('\n').unwrap();
    assert_eq!(line, format!("{MIB}\t{}", md5(body.trim_end().as_bytes())));
    assert_eq!(digest(through(client.address, &format!("{BIG} LIMIT 5"))).0, 5 * (MIB + 1));
}

/// Length and MD5 of what the client prints for [`BIG`] without any tunnel.
fn expected(database: &MariaDb) -> (usize, String) {
    let (length, digest) = digest(database.direct(BIG));
    assert_eq!(length, BIG_ROWS * (MIB + 1), "each row is a mebibyte and a line end");
    (length, digest)
}

/// Length and MD5 of a command's output.
fn digest(mut command: Command) -> (usize, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut hasher = Md5::start();
    let length = hasher.feed_from(&mut child.stdout.take().unwrap());
    assert!(child.wait().unwrap().success(), "{command:?} succeeds");
    (length, hasher.finish())
}

fn md5(bytes: &[u8]) -> String {
    let mut hasher = Md5::start();
    hasher.feed(bytes);
    hasher.finish()
}

/// The md5sum command, fed.
struct Md5(std::process::Child);

impl Md5 {
    fn start() -> Md5 {
        Md5(Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn feed_from(&mut self, from: &mut impl Read) -> usize {
        std::io::copy(from, self.0.stdin.as_mut().unwrap()).unwrap() as usize
    }

    fn finish(mut self) -> String {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
    }
}
