//! All that a program declared, and what it is now.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::registry;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::declare::Program;
use crate::gauge::{Gauge, Reading};
use crate::graph::{Graph, Line, Unit, Views};
use crate::process::Process;
use crate::window::{HOUR, MINUTE, Window};

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// How many values of a headline are kept: a minute's.
const HISTORY: usize = 60;

/// A program's metrics, the windows over them, and the graphs. Shared behind an `Arc`.
pub struct Registry {
    /// Whose they are.
    pub program: Program,
    /// When they were declared, which is the process's start.
    pub started: SystemTime,
    /// The same on the clock that nobody sets.
    pub(crate) born: Instant,
    /// The program's, and the process's.
    pub(crate) exposed: [registry::Registry; 2],
    pub(crate) graphs: Vec<Graph>,
    collection: Gauge,
    open_descriptors: Reading,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    minute: Window,
    hour: Window,
    /// Of each line of the default set, the oldest value first.
    history: Vec<VecDeque<Option<f64>>>,
    ticked: Option<Instant>,
}

/// Which lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Those that are billed unless somebody asks for more.
    Default,
    /// All.
    All,
}

/// A line of the default set now.
pub(crate) struct Headline<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) line: &'a Line,
    pub(crate) value: Option<f64>,
    pub(crate) history: Vec<Option<f64>>,
}

impl Registry {
    pub(crate) fn new(
        program: Program,
        exposed: [registry::Registry; 2],
        mut graphs: Vec<Graph>,
        process: Process,
    ) -> Self {
        graphs.extend(process.graphs);
        let mut windows = Windows::default();
        for line in graphs.iter_mut().flat_map(|graph| &mut graph.lines) {
            line.follow(&mut windows.minute, &mut windows.hour);
        }
        let by_default = graphs.iter().flat_map(|graph| &graph.lines).filter(|line| line.by_default);
        windows.history = by_default.map(|_| VecDeque::with_capacity(HISTORY)).collect();
        Self {
            program,
            started: process.started,
            born: Instant::now(),
            exposed,
            graphs,
            collection: process.collection,
            open_descriptors: process.open_descriptors,
            windows: Mutex::new(windows),
        }
    }

    /// Ticks until `until`, from a random moment of a second on. Several listeners of a process share the windows:
    /// who ticks too early changes nothing, and who ticks last goes on.
    pub(crate) async fn tick_until(self: Arc<Self>, until: CancellationToken) {
        self.tick(Instant::now());
        let phase = TICK.mul_f64(rand::random::<f64>());
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + phase, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ticking = async {
            loop {
                ticks.tick().await;
                self.tick(Instant::now());
            }
        };
        tokio::select! {
            () = until.cancelled() => {}
            () = ticking => {}
        }
    }

    /// Copies the counts at `now`, once a second. The status listener does it; a test may too.
    pub fn tick(&self, now: Instant) {
        let mut windows = self.windows();
        let Windows { minute, hour, history, ticked } = &mut *windows;
        if !minute.tick(now, MINUTE) {
            return;
        }
        hour.tick(now, HOUR);
        // While the process stood still nothing was seen; what is older than a minute is not the last minute's.
        let passed = ticked.map_or(0, |last| now.saturating_duration_since(last).as_secs());
        let missed = usize::try_from(passed).unwrap_or(HISTORY).saturating_sub(1).min(HISTORY);
        *ticked = Some(now);
        let views = Views::of(minute, hour, now);
        for ((_, line), history) in self.headline_lines().zip(history) {
            history.extend(std::iter::repeat_n(None, missed).chain([line.recent(&views)]));
            history.drain(..history.len().saturating_sub(HISTORY));
        }
    }

    /// Each line of the set with all its values at `now`.
    pub(crate) fn values(
        &self,
        set: Set,
        now: Instant,
        mut each: impl FnMut(&Graph, &[(crate::name::Part, f64)]),
    ) {
        let windows = self.windows();
        let views = Views::of(&windows.minute, &windows.hour, now);
        for graph in &self.graphs {
            for line in graph.lines.iter().filter(|line| line.is_in(set)) {
                each(graph, &line.values(&views));
            }
        }
    }

    /// The default set at `now`.
    pub(crate) fn headlines(&self, now: Instant) -> Vec<Headline<'_>> {
        let windows = self.windows();
        let views = Views::of(&windows.minute, &windows.hour, now);
        let lines = self.headline_lines().zip(&windows.history);
        let headlines = lines.map(|((graph, line), history)| Headline {
            graph,
            line,
            value: line.value(&views, MINUTE),
            history: history.iter().copied().collect(),
        });
        headlines.collect()
    }

    fn headline_lines(&self) -> impl Iterator<Item = (&Graph, &Line)> {
        let lines = self.graphs.iter().flat_map(|graph| graph.lines.iter().map(move |line| (graph, line)));
        lines.filter(|(_, line)| line.by_default)
    }

    /// What was begun at `start` is a collection, and is done.
    pub(crate) fn collected(&self, start: Instant) {
        self.collection.set(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX));
    }

    /// How long the last collection took.
    pub fn collection_took(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.collection.value()).unwrap_or(0))
    }

    pub(crate) fn open_descriptors(&self) -> Option<f64> {
        self.open_descriptors.value()
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it is now would be as long as `/metrics`.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn is_in(&self, set: Set) -> bool {
        set == Set::All || self.by_default
    }
}

impl Unit {
    /// A value as Mackerel takes it.
    pub(crate) fn print(self, value: f64) -> String {
        // Six places are more than a graph shows, and 16.666666666666668 is longer than a name.
        let rounded = (value * 1e6).round() / 1e6;
        if rounded.is_finite() { rounded.to_string() } else { value.to_string() }
    }
}

/// Seconds since 1970.
pub(crate) fn epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::cpu_micros;
    use crate::sample::Sample;

    #[test]
    fn two_who_tick_are_like_one() {
        let sample = Sample::new();
        let start = Instant::now();
        for second in 0..100 {
            sample.opened.add(10);
            let at = start + Duration::from_secs(second);
            sample.registry.tick(at);
            sample.registry.tick(at + Duration::from_millis(300));
        }
        let now = start + Duration::from_secs(100);
        let headlines = sample.registry.headlines(now);
        let opened = headlines.iter().find(|headline| headline.line.name == "opened").unwrap();
        assert_eq!(opened.value, Some(10.0 * 60.0 / 61.0), "the last ten come with the next tick");
        assert_eq!(opened.history.len(), HISTORY);
        assert!(opened.history.iter().all(|value| *value == Some(10.0)), "{:?}", opened.history);
    }

    #[test]
    fn what_was_before_a_standstill_grows_old() {
        let sample = Sample::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        (0..30).for_each(|second| sample.registry.tick(at(second)));
        sample.registry.tick(at(49));
        let history = &sample.registry.headlines(at(49))[0].history;
        assert_eq!((history.len(), history.iter().filter(|value| value.is_none()).count()), (50, 19));
        sample.registry.tick(at(1000));
        let history = &sample.registry.headlines(at(1000))[0].history;
        assert_eq!((history.len(), history.iter().flatten().count()), (60, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ticks_by_itself_until_it_is_told_to_end() {
        let sample = Sample::new();
        let (registry, until) = (Arc::new(sample.registry), CancellationToken::new());
        let ticking = tokio::spawn(registry.clone().tick_until(until.clone()));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!registry.headlines(Instant::now())[0].history.is_empty());
        until.cancel();
        ticking.await.unwrap();
    }

    #[test]
    fn the_cpu_is_of_one_core() {
        let sample = Sample::new();
        let start = Instant::now();
        sample.tick(start, 2, |_| {
            let before = cpu_micros();
            while cpu_micros() < before + 50_000 {}
        });
        // 50 ms or more between two ticks that are a second apart by the test's clock; other tests run meanwhile.
        let headlines = sample.registry.headlines(start + Duration::from_secs(2));
        let cpu = headlines.iter().find(|headline| headline.line.name == "cpu").unwrap();
        let percent = cpu.history.last().copied().flatten().unwrap();
        assert!((5.0..1e6).contains(&percent), "{percent}");
    }
}
