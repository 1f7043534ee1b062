//! Every byte arrives once and in order, both ways at once, and so do both ends of file.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use e2e::cutter::{How, Plan};
use e2e::destination::Destination;
use e2e::pattern;
use e2e::programs::half_close;
use serde_json::{Value, json};

use super::{Path, is};

/// The two directions carry different bytes.
const UP: u64 = 1;
const DOWN: u64 = 2;
const KIB: u64 = 1024;
const MIB: usize = 1 << 20;

/// A tunnel whose far end the test plays, with a first byte carried each way.
pub(super) struct Tunnel {
    pub(super) path: Path,
    pub(super) application: TcpStream,
    pub(super) far: TcpStream,
    _destination: Destination,
}

impl Tunnel {
    pub(super) fn open(server: &[&str], client: &[&str]) -> Tunnel {
        let (destination, accepted) = Destination::played();
        let path = Path::with_flags(destination.address, server, client);
        let application = path.client.connect();
        let far = accepted.next();
        let tunnel = Tunnel { path, application, far, _destination: destination };
        tunnel.carry(1);
        tunnel
    }

    /// `total` bytes each way at once.
    pub(super) fn carry(&self, total: usize) {
        thread::scope(|scope| {
            for (from, to, seed) in [(&self.application, &self.far, UP), (&self.far, &self.application, DOWN)]
            {
                scope.spawn(move || pattern::write(from, seed, total));
                scope.spawn(move || pattern::read(to, seed, total));
            }
        });
    }

    /// Ends it from both ends; the gateway's line.
    pub(super) fn finish(&self) -> Value {
        half_close(&self.far);
        half_close(&self.application);
        self.finished()
    }

    /// Both ends of file arrive, with nothing before them; the gateway's line.
    fn finished(&self) -> Value {
        for mut end in [&self.far, &self.application] {
            let mut rest = Vec::new();
            end.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty(), "{} bytes before the end", rest.len());
        }
        let closed = self.path.audited("close", 1);
        assert_eq!((&closed["why"], &closed["dialect"]), (&json!("end of file"), &json!(2)), "{closed}");
        closed
    }
}

/// Runs `work`, and returns the most that the gateway held meanwhile.
fn most_buffered(path: &Path, work: impl FnOnce()) -> f64 {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0.0;
            while !over.load(Ordering::Relaxed) {
                most = path.metric("buffered_bytes").max(most);
                thread::sleep(Duration::from_millis(20));
            }
            most
        });
        work();
        over.store(true, Ordering::Relaxed);
        watching.join().unwrap()
    })
}

#[test]
fn forty_cuts_at_any_byte_change_none() {
    const CUTS: usize = 40;
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    // Beyond the heads of an upgrade: each of these cuts is one of a tunnel.
    path.cutter.follow(Plan::of_cuts(CUTS, 2 * KIB..1024 * KIB));
    let most = most_buffered(path, || tunnel.carry(48 * MIB));
    let counts = path.cutter.counts();
    // More than five a second of one session are sent away, and come again on another connection.
    assert!(counts.cuts == CUTS && counts.connections > CUTS, "{counts:?}");
    assert!(most <= 4.5 * MIB as f64, "two windows each way, and no more: {most}");
    let closed = tunnel.finish();
    assert_eq!(closed["resumes"], CUTS, "{closed}");
    assert_eq!((&closed["up"], &closed["down"]), (&json!(48 * MIB + 1), &json!(48 * MIB + 1)), "{closed}");
    path.audited("resume", CUTS);
    path.audited("detach", 1);
    assert_eq!(is(path.metric("sessions_resumed_total"), CUTS as f64), Some(()));
    assert_eq!(is(path.client_metric("resumed_total"), CUTS as f64), Some(()));
    for name in [
        "buffered_bytes",
        "sessions",
        "sessions_detached",
        "sessions_expired_total",
        "resumes_misrouted_total",
    ] {
        path.shows(name, 0.0);
    }
}

#[test]
fn cuts_in_the_middle_of_upgrades_change_none() {
    let tunnel = Tunnel::open(&[], &[]);
    let path = &tunnel.path;
    path.cutter.follow(Plan::of_cuts(16, 1..2 * KIB));
    tunnel.carry(MIB);
    let closed = tunnel.finish();
    let counts = path.cutter.counts();
    assert_eq!(counts.cuts, 16, "{counts:?}");
    assert!(closed["resumes"].as_u64().unwrap() < counts.connections as u64, "{closed}, {counts:?}");
    path.shows("sessions_detached", 0.0);
}

#[test]
fn an_end_of_file_that_is_cut_off_arrives_once() {
    for how in [How::Reset, How::Close, How::OnlyClient] {
        let tunnel = Tunnel::open(&[], &[]);
        let path = &tunnel.path;
        path.cutter.hole();
        pattern::write(&tunnel.application, UP, 3);
        pattern::write(&tunnel.far, DOWN, 5);
        half_close(&tunnel.application);
        half_close(&tunnel.far);
        path.cutter.cut(how);
        path.cutter.heal();
        pattern::read(&tunnel.far, UP, 3);
        pattern::read(&tunnel.application, DOWN, 5);
        let closed = tunnel.finished();
        assert_eq!(closed["resumes"], 1, "{how:?}: {closed}");
    }
}
