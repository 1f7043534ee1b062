//! No window has more than the limit, whatever the members of a group do.

use std::fs::File;
use std::io::{self, Write, pipe};
use std::thread::{self, sleep};
use std::time::Duration;

use e2e::meter::Meter;
use e2e::process::{Process, Signal};
use e2e::sabo::{WorkDir, endless, narrow_pipe};

/// A limit of which half a second holds so many quanta that one more or less is no 5 %.
const STORM: u64 = 100_000_000;
const CALM: u64 = 50_000_000;
const RUN: Duration = Duration::from_millis(1_600);

#[test]
fn four_that_start_together_keep_the_limit_from_the_first_window_on() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let flows = dir.flows(&meter, STORM, 4);
    sleep(RUN);
    let record = meter.finish();
    drop(flows);
    record.keeps(STORM, 4);
    assert!(record.half_seconds().len() >= 2, "they moved something: {record:?}");
}

#[test]
fn sixteen_that_start_together_keep_the_limit_from_the_first_window_on() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let flows = dir.flows(&meter, STORM, 16);
    sleep(RUN);
    let record = meter.finish();
    drop(flows);
    record.keeps(STORM, 16);
    assert!(record.half_seconds().len() >= 2, "they moved something: {record:?}");
}

#[test]
fn those_who_come_later_get_no_start_of_their_own() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let mut flows = Vec::new();
    for _ in 0..6 {
        flows.extend(dir.flows(&meter, CALM, 1));
        sleep(Duration::from_millis(250));
    }
    let record = meter.finish();
    drop(flows);
    record.keeps(CALM, 6);
    assert!(record.half_seconds().len() >= 2, "they moved something: {record:?}");
}

#[test]
fn what_a_stalled_peer_did_not_use_is_not_moved_when_it_goes_on() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let flows = dir.flows(&meter, CALM, 2);
    let stalled = &flows[1].process;
    sleep(Duration::from_millis(600));
    e2e::process::send(stalled.pid(), Signal::STOP);
    sleep(Duration::from_millis(600));
    e2e::process::send(stalled.pid(), Signal::CONT);
    sleep(Duration::from_millis(600));
    let record = meter.finish();
    drop(flows);
    record.keeps(CALM, 2);
}

#[test]
fn a_killed_peer_leaves_no_credit() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let mut flows = dir.flows(&meter, CALM, 4);
    sleep(Duration::from_millis(600));
    flows[0].process.signal(Signal::KILL);
    flows[1].process.signal(Signal::KILL);
    sleep(Duration::from_millis(1_000));
    let record = meter.finish();
    drop(flows);
    record.keeps(CALM, 4);
}

#[test]
fn a_burst_after_silence_passes_at_the_limit() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let (reader, mut writer) = narrow_pipe();
    let flow = dir.flow(&meter, dir.sabo(CALM), reader);
    writer.write_all(b"a").unwrap(); // it has begun, and now it waits
    sleep(Duration::from_millis(1_500));
    let burst = thread::spawn(move || while writer.write_all(&[0; 256 * 1024]).is_ok() {});
    let from = meter.now();
    sleep(Duration::from_millis(1_100));
    let to = meter.now();
    let record = meter.finish();
    drop(flow);
    burst.join().unwrap();
    record.keeps(CALM, 1);
    assert!(record.between(from, to).bytes > CALM / 4, "the burst passed: {:?}", record.between(from, to));
}

#[test]
fn the_bound_holds_for_a_source_that_comes_in_drops() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let mut flows = dir.flows(&meter, CALM, 2);
    let (reader, mut writer) = narrow_pipe();
    flows.push(dir.flow(&meter, dir.sabo(CALM), reader));
    for _ in 0..70 {
        writer.write_all(&[0; 700]).unwrap();
        sleep(Duration::from_millis(20));
    }
    let record = meter.finish();
    drop((flows, writer));
    record.keeps(CALM, 3);
}

#[test]
fn the_bound_holds_from_pipe_to_pipe() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let _processes = [1, 2].map(|_| {
        let (mut reader, writer) = pipe().unwrap();
        let mut file = File::create(dir.output()).unwrap();
        meter.add(file.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut reader, &mut file));
        Process::spawn_into("sabo", dir.sabo(CALM).stdin(endless()), writer)
    });
    sleep(RUN);
    let record = meter.finish();
    // A reader sees up to a pipe more at once, and a pipe of 256 KiB holds as much as a quantum here.
    record.keeps_in_every_window(CALM, 2 + 2);
    assert!(record.half_seconds().len() >= 2, "they moved something: {record:?}");
}
