//! Who gets what of a limit.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::thread::sleep;
use std::time::Duration;

use e2e::eventually::{PATIENCE, eventually};
use e2e::meter::{Meter, Record, reaches};
use e2e::process::Signal;
use e2e::sabo::{Flow, WorkDir, endless, narrow_pipe, status, zeros};

const RATE: u64 = 50_000_000;
/// How soon a freed share is used, and as much for whoever counts.
const FREED: Duration = Duration::from_millis(60);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What part of the limit these had together from `from` on for a while, at most.
fn part(record: &Record, flows: &[Flow], from: Duration, time: Duration) -> f64 {
    flows.iter().map(|flow| record.of(flow.number, from, from + time).at_most() / RATE as f64).sum()
}

#[test]
fn a_share_that_is_given_up_is_used_at_once() {
    a_freed_share_is_used(Signal::TERM);
}

#[test]
fn the_share_of_the_killed_is_used_at_once() {
    a_freed_share_is_used(Signal::KILL);
}

/// Half of four end like this; the others had half of the limit and have the whole.
fn a_freed_share_is_used(signal: Signal) {
    reaches(0.9, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let mut leaving = dir.flows(&meter, RATE, 2);
        let staying = dir.flows(&meter, RATE, 2);
        sleep(ms(700));
        let before = meter.now();
        leaving.iter_mut().for_each(|flow| flow.process.signal(signal));
        for flow in &mut leaving {
            flow.process.wait(PATIENCE);
        }
        let freed = meter.now();
        sleep(ms(400));
        let record = meter.finish();
        let half = part(&record, &staying, before - ms(300), ms(300));
        assert!(half <= 0.7, "half of it was theirs before: {half:.3}");
        record.keeps(RATE, 4);
        part(&record, &staying, freed + FREED, ms(200))
    });
}

#[test]
fn a_peer_whose_sink_is_blocked_gives_its_share_away() {
    let blocked = |dir: &WorkDir| {
        let (reader, writer) = narrow_pipe();
        let process = e2e::process::Process::spawn_into("sabo", dir.sabo(RATE).stdin(endless()), writer);
        (process, reader)
    };
    reaches(0.9, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let _blocked = (blocked(&dir), blocked(&dir));
        let going = dir.flows(&meter, RATE, 2);
        sleep(ms(1_100));
        let from = meter.now() - ms(600);
        let record = meter.finish();
        part(&record, &going, from, ms(550))
    });
}

#[test]
fn a_peer_whose_source_is_silent_gives_its_share_away() {
    reaches(0.9, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let (reader, mut drops) = narrow_pipe();
        let slow = dir.flow(&meter, dir.sabo(RATE), reader);
        let going = dir.flows(&meter, RATE, 2);
        for _ in 0..22 {
            drops.write_all(&[1; 100]).unwrap();
            sleep(ms(50));
        }
        let to = meter.now();
        let record = meter.finish();
        let arrived = record.of(slow.number, Duration::ZERO, to).bytes;
        assert!(arrived >= 2_000, "what is slow is not stuck behind the others: {arrived} of 2200 bytes");
        part(&record, &going, to - ms(600), ms(550))
    });
}

#[test]
fn weight_3_has_three_times_the_share_of_weight_1() {
    // At the second limit three quanta are more than a pipe holds.
    for rate in [2_000_000, RATE] {
        // From 2.5 to 3.5 times; a busy machine takes from the one or the other.
        reaches(1.0 - 0.5 / 3.0, || {
            let (dir, meter) = (WorkDir::new(), Meter::start());
            let [heavy, light] = ["3", "1"].map(|weight| {
                let mut command = dir.sabo(rate);
                command.args(["--weight", weight]);
                dir.flow(&meter, command, endless())
            });
            sleep(ms(1_800));
            let to = meter.now();
            let record = meter.finish();
            let of = |flow: &Flow| record.of(flow.number, to - ms(1_300), to).bytes as f64;
            let times = of(&heavy) / of(&light);
            1.0 - (times - 3.0).abs() / 3.0
        });
    }
}

#[test]
fn one_budget_is_shared_by_all_limits_and_is_the_smallest() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let limited = |rate: u64| {
        let mut command = dir.sabo(rate);
        command.arg("--one-budget");
        dir.flow(&meter, command, endless())
    };
    let flows = [limited(RATE), limited(2 * RATE)];
    sleep(ms(1_700));
    let to = meter.now();
    let record = meter.finish();
    for (from, passed) in record.half_seconds() {
        assert!(passed.at_least() <= 1.05 * RATE as f64, "from {from:?}: {passed:?}");
    }
    for flow in &flows {
        let share = record.of(flow.number, to - ms(1_000), to).at_most() / RATE as f64;
        assert!((0.3..=0.7).contains(&share), "about half of the smallest: {share:.3}");
    }
    assert!(dir.path().join("sabo_one.group").exists(), "one group: {:?}", dir.names());
}

#[test]
fn a_schedule_lowers_the_limit() {
    let (dir, meter) = (WorkDir::new(), Meter::start());
    let mut command = dir.sabo(RATE);
    command.args(["--schedule", "00:00,20M 12:00,20M"]); // whatever the hour is
    let flow = dir.flow(&meter, command, endless());
    sleep(ms(1_300));
    let to = meter.now();
    let record = meter.finish();
    for (from, passed) in record.half_seconds() {
        // The quantum may be that of the limit: 256 KiB beside 10 MB.
        assert!(passed.at_least() <= 1.05 * 20e6, "from {from:?}: {passed:?}");
    }
    assert!(record.of(flow.number, to - ms(800), to).bytes > 8_000_000, "it is no standstill");
}

#[test]
fn sixty_four_join_share_and_leave() {
    let rate = 2 * RATE;
    reaches(0.5, || {
        let (dir, meter) = (WorkDir::new(), Meter::start());
        let mut flows: Vec<Flow> = (0..64).map(|_| dir.flow(&meter, dir.sabo(rate), zeros())).collect();
        eventually("all are members", || (status::group_of(&dir).members.len() == 64).then_some(()));
        let moved = |flow: &Flow| fs::metadata(&flow.output).unwrap().len() != 0;
        eventually("all have had something", || flows.iter().all(moved).then_some(()));
        let from = meter.now();
        sleep(ms(1_200));
        let to = meter.now();
        for flow in &mut flows {
            flow.process.signal(Signal::TERM);
        }
        for flow in &mut flows {
            assert_eq!(flow.process.wait(PATIENCE).signal(), Some(Signal::TERM.as_raw()));
        }
        let record = meter.finish();
        record.keeps_in_every_window(rate, 64);
        eventually("nobody is left", || status::group_of(&dir).members.is_empty().then_some(()));
        assert_eq!(dir.locks(), Vec::<String>::new());
        let fair = record.between(from, to).bytes as f64 / 64.0;
        let share = |flow: &Flow| record.of(flow.number, from, to).bytes as f64 / fair;
        let worst = flows.iter().map(|flow| share(flow).min(2.0 - share(flow))).fold(1.0, f64::min);
        worst.min(record.between(from, to).at_most() / rate as f64 - 0.4)
    });
}
