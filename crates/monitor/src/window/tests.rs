use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;

/// A count that the test sets.
#[derive(Clone, Default)]
struct Fake(Arc<AtomicU64>);

impl Counts for Fake {
    fn width(&self) -> usize {
        1
    }

    fn read(&self, into: &mut [u64]) {
        into[0] = self.0.load(Relaxed);
    }
}

struct Bench {
    start: Instant,
    count: Fake,
    window: Window,
    slot: Slot,
    span: Span,
}

impl Bench {
    fn new(span: Span) -> Self {
        let (count, mut window) = (Fake::default(), Window::default());
        window.follow(Box::new(Fake::default()));
        let slot = window.follow(Box::new(count.clone()));
        Self { start: Instant::now(), count, window, slot, span }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// Ticks at each of the `seconds`, and counts `each` before.
    fn tick(&mut self, seconds: impl IntoIterator<Item = f64>, each: u64) {
        for second in seconds {
            self.count.0.fetch_add(each, Relaxed);
            let at = self.at(second);
            self.window.tick(at, self.span);
        }
    }

    fn rate(&self, second: f64) -> Option<f64> {
        let view = self.window.view(self.at(second));
        view.difference(&self.slot, self.span).map(|difference| difference.rate())
    }

    fn last(&self, second: f64) -> u64 {
        self.window.view(self.at(second)).last(&self.slot, self.span).unwrap()
    }
}

fn seconds(range: Range<u32>) -> impl Iterator<Item = f64> {
    range.map(f64::from)
}

#[test]
fn nothing_is_said_before_thirty_seconds() {
    let mut bench = Bench::new(MINUTE);
    assert_eq!(bench.rate(100.0), None, "without a copy");
    bench.tick(seconds(0..30), 5);
    for (second, expected) in [(29.0, false), (29.9, false), (30.0, true)] {
        assert_eq!(bench.rate(second).is_some(), expected, "at {second}");
    }
    // 29 times 5 after the first copy, in the 30 seconds that are covered.
    assert_eq!(bench.rate(30.0), Some(29.0 * 5.0 / 30.0));
}

#[test]
fn the_window_slides_and_has_sixty_seconds() {
    let mut bench = Bench::new(MINUTE);
    bench.tick(seconds(0..200), 10);
    bench.tick(seconds(200..230), 0);
    // From 170 (the copy at 169.5 or older is out of the ring) to 230: thirty of them counted.
    let rate = bench.rate(230.0).unwrap();
    assert!((rate - 300.0 / 61.0).abs() < 0.2, "{rate}");
    bench.tick(seconds(230..300), 0);
    assert_eq!(bench.rate(300.0), Some(0.0), "it is idle, which is known");
}

#[test]
fn what_is_counted_since_the_last_tick_belongs_to_the_window() {
    let mut bench = Bench::new(MINUTE);
    bench.tick(seconds(0..60), 0);
    bench.count.0.fetch_add(600, Relaxed);
    assert_eq!(bench.rate(60.0), Some(10.0));
}

#[test]
fn late_and_missed_ticks_change_what_is_covered_and_not_the_rate() {
    let mut bench = Bench::new(MINUTE);
    // Ten a second, and ticks at 0, 1.7, 40 only.
    bench.tick([0.0], 0);
    bench.tick([1.7], 17);
    bench.tick([40.0], 383);
    bench.count.0.fetch_add(100, Relaxed);
    assert_eq!(bench.rate(50.0), Some(10.0));
    // After a sleep of ten minutes nothing young enough is left; then the window fills again.
    assert_eq!(bench.rate(640.0), None);
    bench.tick([640.0, 641.0], 0);
    assert_eq!(bench.rate(642.0), None);
    bench.tick(seconds(642..671), 0);
    assert_eq!(bench.rate(671.0), Some(0.0));
}

#[test]
fn a_count_that_decreases_gives_no_rate() {
    let mut bench = Bench::new(MINUTE);
    bench.tick(seconds(0..61), 1);
    bench.count.0.store(0, Relaxed);
    assert_eq!(bench.rate(62.0), None);
}

#[test]
fn the_last_hour_begins_at_the_start_and_moves_by_minutes() {
    let mut bench = Bench::new(HOUR);
    bench.tick([0.0], 0);
    assert_eq!(bench.last(0.5), 0);
    bench.count.0.fetch_add(1, Relaxed);
    assert_eq!(bench.last(1.0), 1);
    bench.tick(seconds(1..3590), 0);
    assert_eq!(bench.last(3590.0), 1);
    bench.tick(seconds(3590..3700), 0);
    assert_eq!(bench.last(3700.0), 0, "it is more than an hour ago");
    bench.count.0.fetch_add(7, Relaxed);
    bench.tick(seconds(3700..7200), 0);
    assert_eq!(bench.last(7200.0), 7);
    bench.tick(seconds(7200..7400), 0);
    assert_eq!(bench.last(7400.0), 0);
}

#[test]
fn the_ring_is_bounded() {
    for (span, copies) in [(MINUTE, 61), (HOUR, 61)] {
        let mut bench = Bench::new(span);
        bench.tick((0..10_000u32).map(f64::from), 1);
        assert_eq!(bench.window.copies.len(), copies);
    }
}
