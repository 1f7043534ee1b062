//! Counts bytes where a program moves them: the sizes of the files that it writes, every two milliseconds.
//!
//! Each count carries the time before and after it was taken, so that what is concluded holds on the busiest
//! machine: an upper bound is tested with the longest time that can have passed, a lower one with the shortest.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(2);
/// What a group may be ahead of its rate after silence.
const BURST: f64 = 0.002;
const MOST_QUANTUM: u64 = 256 * 1024;
const ATTEMPTS: usize = 4;

/// What one reservation is at most, at a rate of bytes a second.
pub fn quantum(rate: u64) -> u64 {
    (rate / 50).clamp(1, MOST_QUANTUM)
}

/// Repeats an attempt at `least` of something until it comes up to it: a machine that has no time for anybody
/// for some milliseconds takes them from what is counted, but not four times.
///
/// # Panics
/// When no attempt came up to it.
pub fn reaches(least: f64, mut attempt: impl FnMut() -> f64) {
    let mut parts = Vec::new();
    while parts.len() < ATTEMPTS {
        let part = attempt();
        if part >= least {
            return;
        }
        parts.push(part);
    }
    panic!("{least} was not reached, attempt by attempt: {parts:.4?}");
}

/// The running count.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    files: Arc<Mutex<Vec<File>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Sample>>>,
}

#[derive(Debug)]
struct Sample {
    before: Duration,
    after: Duration,
    sizes: Vec<u64>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::start()
    }
}

impl Meter {
    /// Begins to count; files are added as they are made.
    pub fn start() -> Meter {
        let (start, files, stop) = (Instant::now(), Arc::default(), Arc::default());
        let (theirs, ending) = (Arc::clone(&files), Arc::clone(&stop));
        let thread = thread::spawn(move || sample(start, &theirs, &ending));
        Meter { start, files, stop, thread: Some(thread) }
    }

    /// Counts this file too, which has to be empty still; returns its number.
    pub fn add(&self, file: File) -> usize {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.push(file);
        files.len() - 1
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Stops and gives what was counted.
    ///
    /// # Panics
    /// When a file could not be looked at.
    pub fn finish(mut self) -> Record {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("the thread is joined once");
        Record { samples: thread.join().expect("a file's size can be read") }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn sample(start: Instant, files: &Mutex<Vec<File>>, stop: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    loop {
        let last = stop.load(Ordering::SeqCst);
        let before = start.elapsed();
        let size = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        let sizes = files.lock().unwrap_or_else(PoisonError::into_inner).iter().map(size).collect();
        samples.push(Sample { before, after: start.elapsed(), sizes });
        if last {
            return samples;
        }
        thread::sleep(PERIOD);
    }
}

/// What was counted.
#[derive(Debug)]
pub struct Record {
    samples: Vec<Sample>,
}

/// Bytes between two counts, and how long that took.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    /// The bytes.
    pub bytes: u64,
    /// No less time than this.
    pub least: Duration,
    /// No more time than this.
    pub most: Duration,
}

impl Passed {
    /// Bytes a second that were certainly reached.
    pub fn at_least(&self) -> f64 {
        self.bytes as f64 / self.most.as_secs_f64()
    }

    /// Bytes a second that were certainly not exceeded.
    pub fn at_most(&self) -> f64 {
        self.bytes as f64 / self.least.as_secs_f64()
    }
}

impl Record {
    /// Asserts the bounds of a group: in every window of w seconds rate·w + 2 ms·rate + one quantum a member,
    /// and at most 1.05 × the rate in each half second from the first byte on.
    ///
    /// # Panics
    /// When one of them does not hold.
    pub fn keeps(&self, rate: u64, members: u64) {
        self.keeps_in_every_window(rate, members);
        for (from, passed) in self.half_seconds() {
            let times = passed.at_least() / rate as f64;
            assert!(times <= 1.05, "{times:.3} × {rate} B/s in the half second from {from:?}: {passed:?}");
        }
    }

    /// Asserts the first of these bounds alone; for limits of which a quantum is no small part of 0.5 s.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn keeps_in_every_window(&self, rate: u64, members: u64) {
        let allowed = BURST * rate as f64 + (members * quantum(rate)) as f64;
        let ahead = |bytes: u64, time: Duration| bytes as f64 - rate as f64 * time.as_secs_f64();
        // The most that any window ending here has over rate·w is this end less the lowest of the beginnings.
        let (mut lowest, mut since) = (f64::MAX, Duration::ZERO);
        for sample in &self.samples {
            let over = ahead(sample.total(), sample.after) - lowest;
            assert!(over <= allowed, "{over:.0} bytes too many from {since:?} to {:?}", sample.after);
            let beginning = ahead(sample.total(), sample.before);
            if beginning < lowest {
                (lowest, since) = (beginning, sample.before);
            }
        }
    }

    /// Consecutive windows of half a second from the first byte on, with their beginnings.
    pub fn half_seconds(&self) -> Vec<(Duration, Passed)> {
        let mut windows = Vec::new();
        let Some(first) = self.samples.iter().position(|sample| sample.total() != 0) else { return windows };
        let mut from = first.saturating_sub(1);
        for (to, sample) in self.samples.iter().enumerate().skip(from) {
            if sample.before.saturating_sub(self.samples[from].after) >= Duration::from_millis(500) {
                windows.push((self.samples[from].after, self.passed(from, to, Sample::total)));
                from = to;
            }
        }
        windows
    }

    /// What all files together got within this time.
    pub fn between(&self, from: Duration, to: Duration) -> Passed {
        self.passed_between(from, to, Sample::total)
    }

    /// What one file got within this time.
    pub fn of(&self, number: usize, from: Duration, to: Duration) -> Passed {
        self.passed_between(from, to, |sample| sample.of(number))
    }

    /// Bytes a second over this time: the slope of the line through all counts, to which the height of a step
    /// and a step that came late mean little.
    pub fn slope(&self, from: Duration, to: Duration) -> f64 {
        let within = |sample: &&Sample| sample.before >= from && sample.after <= to;
        let points: Vec<(f64, f64)> =
            self.samples.iter().filter(within).map(|s| (s.middle(), s.total() as f64)).collect();
        let count = points.len() as f64;
        let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        let (x, y) = (x / count, y / count);
        let rise: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let run: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        rise / run
    }

    /// Every total that was seen, in order, without repetitions.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals: Vec<u64> = self.samples.iter().map(Sample::total).collect();
        totals.dedup();
        totals
    }

    fn passed_between(&self, from: Duration, to: Duration, count: impl Fn(&Sample) -> u64) -> Passed {
        let first = self.samples.iter().position(|sample| sample.before >= from);
        let last = self.samples.iter().rposition(|sample| sample.after <= to);
        match (first, last) {
            (Some(first), Some(last)) if first < last => self.passed(first, last, count),
            _ => panic!("nothing was counted between {from:?} and {to:?}"),
        }
    }

    fn passed(&self, from: usize, to: usize, count: impl Fn(&Sample) -> u64) -> Passed {
        let (first, last) = (&self.samples[from], &self.samples[to]);
        let bytes = count(last) - count(first);
        Passed { bytes, least: last.before.saturating_sub(first.after), most: last.after - first.before }
    }
}

impl Sample {
    fn total(&self) -> u64 {
        self.sizes.iter().sum()
    }

    fn of(&self, number: usize) -> u64 {
        self.sizes.get(number).copied().unwrap_or(0)
    }

    fn middle(&self) -> f64 {
        (self.before + self.after).as_secs_f64() / 2.0
    }
}
