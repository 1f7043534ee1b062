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
    reaches(1.0 - TOLERANCE, || {
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
        let (from, to) = (to - Duration::from_millis(2_600), to - Duration::from_millis(200));
        closeness(record.slope(from, to) / 1_000.0)
    });
}

#[test]
fn sixteen_peers_at_32_kb_have_32_kb_together() {
    let rate = 32_000;
    reaches(1.0 - TOLERANCE, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let flows: Vec<Flow> = (0..16).map(|_| dir.flow(&meter, dir.sabo(rate), zeros())).collect();
        sleep(Duration::from_millis(5_500));
        let to = meter.now();
        let record = meter.finish();
        record.keeps_in_every_window(rate, 16);
        let of = |flow: &Flow| record.of(flow.number, Duration::ZERO, to).bytes;
        let least = flows.iter().map(of).min().unwrap();
        assert!(least >= 8 * quantum(rate), "nobody starves: {least} bytes");
        closeness(record.slope(to - Duration::from_millis(4_000), to) / rate as f64)
    });
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

/// One sabo alone has the rate.
fn alone(rate: u64, time: Duration, source: impl Fn() -> Stdio) {
    reaches(1.0 - TOLERANCE, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let flow = dir.flow(&meter, dir.sabo(rate), source());
        sleep(Duration::from_millis(400) + time);
        let waited = waited_for_a_cpu(flow.process.pid());
        let to = meter.now();
        let record = meter.finish();
        record.keeps_in_every_window(rate, 1);
        let ratio = record.slope(to - time, to) / rate as f64;
        let missed = waited.as_secs_f64() / (time + Duration::from_millis(400)).as_secs_f64();
        closeness(if ratio < 1.0 { (ratio + missed).min(1.0) } else { ratio })
    });
}

/// 1 for the limit itself, less for a rate below it or above. The slope is above when chunks were late at its
/// beginning and not at its end; that no window has too much is another assertion, and knows no second attempt.
fn closeness(ratio: f64) -> f64 {
    1.0 - (ratio - 1.0).abs()
}

/// How long a process could have run while others did (Documentation/scheduler/sched-stats.rst).
fn waited_for_a_cpu(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let field = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    Duration::from_nanos(field.unwrap_or(0))
}
