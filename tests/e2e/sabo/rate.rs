//! In the long run the rate is the limit's, within half a percent.

use std::fs::File;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e::eventually::PATIENCE;
use e2e::meter::{Meter, quantum, reaches};
use e2e::sabo::{Flow, WorkDir, endless, zeros};

const TOLERANCE: f64 = 0.005;

#[test]
fn one_kilobyte_a_second_is_twenty_bytes_each_twenty_milliseconds() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let input = dir.beside().write("input", [7; 3_010]);
    let start = Instant::now();
    let mut flow = dir.flow(&meter, dir.sabo(1_000), File::open(input).unwrap());
    assert!(flow.process.wait(PATIENCE).success());
    let (took, to) = (start.elapsed(), meter.now());
    let record = meter.finish();
    assert!(took >= Duration::from_millis(2_980), "3,010 bytes, 2 ms of credit, took {took:?}");
    record.keeps_in_every_window(1_000, 1);
    let totals = record.totals();
    assert_eq!(totals.last(), Some(&3_010), "all of them");
    let (last, steps) = totals.split_last().unwrap();
    let broken = steps.iter().find(|total| *total % 20 != 0);
    assert_eq!(broken, None, "a sum of whole quanta, but for the rest of {last}");
    let slope = record.slope(to - Duration::from_millis(2_600), to - Duration::from_millis(200));
    assert!((slope / 1_000.0 - 1.0).abs() <= TOLERANCE, "{slope} bytes a second");
}

#[test]
fn sixteen_peers_at_32_kb_have_32_kb_together() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let rate = 32_000;
    let flows: Vec<Flow> = (0..16).map(|_| dir.flow(&meter, dir.sabo(rate), zeros())).collect();
    sleep(Duration::from_millis(5_500));
    let to = meter.now();
    let record = meter.finish();
    record.keeps_in_every_window(rate, 16);
    let slope = record.slope(to - Duration::from_millis(4_000), to);
    assert!((slope / rate as f64 - 1.0).abs() <= TOLERANCE, "{slope} bytes a second");
    let least = flows.iter().map(|flow| record.of(flow.number, Duration::ZERO, to).bytes).min().unwrap();
    assert!(least >= 8 * quantum(rate), "nobody starves: {least} bytes");
}

#[test]
fn ten_megabytes_a_second_are_ten() {
    alone(10_000_000, Duration::from_millis(2_500), || zeros().into());
}

#[test]
fn a_hundred_megabytes_a_second_are_a_hundred() {
    alone(100_000_000, Duration::from_millis(1_500), || zeros().into());
}

#[test]
fn a_hundred_megabytes_a_second_through_a_pipe_are_a_hundred() {
    alone(100_000_000, Duration::from_millis(1_500), || endless().into());
}

/// One sabo alone has the rate; no attempt may be above it, one has to come up to it.
fn alone(rate: u64, time: Duration, source: impl Fn() -> Stdio) {
    reaches(1.0 - TOLERANCE, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let flow = dir.flow(&meter, dir.sabo(rate), source());
        sleep(Duration::from_millis(400) + time);
        let waited = waited_for_a_cpu(flow.process.pid());
        let to = meter.now();
        let record = meter.finish();
        record.keeps_in_every_window(rate, 1);
        let passed = record.between(to - time, to);
        let ratio = record.slope(to - time, to) / rate as f64;
        assert!(ratio <= 1.0 + TOLERANCE, "{ratio:.4} of the limit in {passed:?}");
        ratio + waited.as_secs_f64() / (time + Duration::from_millis(400)).as_secs_f64()
    });
}

/// How long a process could have run while others did (Documentation/scheduler/sched-stats.rst).
fn waited_for_a_cpu(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let field = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    Duration::from_nanos(field.unwrap_or(0))
}
