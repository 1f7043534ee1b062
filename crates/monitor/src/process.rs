//! What every process has: CPU, memory, descriptors, its start. Read from bounded files in /proc/self.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::counter::Counter;
use crate::declare::{Declare, register};
use crate::gauge::{Gauge, Reading};
use crate::graph::{Graph, Line, Unit};

/// A kernel that does not say how many descriptors there are has them counted, this often at most.
const COUNTED_EVERY: Duration = Duration::from_secs(10);

/// What the registry itself keeps.
pub(crate) struct Process {
    pub(crate) graphs: Vec<Graph>,
    /// Microseconds that the last collection took.
    pub(crate) collection: Gauge,
    pub(crate) open_descriptors: Reading,
    pub(crate) started: SystemTime,
}

/// The names of the process are those that every Prometheus client has, without a program's.
pub(crate) fn declare(program: &mut Declare, registry: &mut registry::Registry) -> Process {
    let collection = Gauge::default();
    let took = program.reading("collection_seconds", "How long the last collection of these metrics took");
    let micros = collection.clone();
    #[allow(clippy::cast_precision_loss)] // a collection takes less than 2^53 µs
    took.read_from(move || Some(micros.value() as f64 / 1e6));
    let started = SystemTime::now();
    let since_epoch = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let reading = |source: Source| {
        let reading = Reading::default();
        reading.read_from(source);
        reading
    };
    let descriptors = Arc::new(Descriptors::default());
    let open = descriptors.clone();
    register(registry, "process_cpu_seconds", "User and system CPU time", CpuSeconds);
    let resident = reading(Box::new(resident_bytes));
    register(registry, "process_resident_memory_bytes", "Memory in RAM", resident.clone());
    let open = reading(Box::new(move || open.count()));
    register(registry, "process_open_fds", "File descriptors that are open", open.clone());
    let limit = reading(Box::new(descriptor_limit));
    register(registry, "process_max_fds", "File descriptors that may be open", limit);
    let start = reading(Box::new(move || Some(since_epoch)));
    register(registry, "process_start_time_seconds", "When it started, since 1970", start);
    let used = reading(Box::new(move || Some(100.0 * descriptors.count()? / descriptor_limit()?)));
    let cpu = Counter::default();
    cpu.read_from(cpu_micros);
    Process { graphs: graphs(&cpu, &used, &resident), collection, open_descriptors: open, started }
}

/// Nothing: of a process that tells of others.
pub(crate) fn none() -> Process {
    Process {
        graphs: Vec::new(),
        collection: Gauge::default(),
        open_descriptors: Reading::default(),
        started: SystemTime::now(),
    }
}

type Source = Box<dyn Fn() -> Option<f64> + Send + Sync>;

/// All three are in the default set.
fn graphs(cpu: &Counter, descriptors: &Reading, resident: &Reading) -> Vec<Graph> {
    // Microseconds a second are millionths of a core.
    let cpu = Line::rate("cpu", "CPU, of one core", cpu).times(1e-4);
    let descriptors = Line::now("fds", "File descriptors used", descriptors);
    let resident = Line::now("rss", "Memory", resident);
    vec![
        Graph {
            name: "process",
            label: "Process",
            unit: Unit::Percentage,
            lines: vec![cpu.by_default(), descriptors.by_default()],
        },
        Graph { name: "memory", label: "Memory", unit: Unit::Bytes, lines: vec![resident.by_default()] },
    ]
}

/// CPU time so far: clock_gettime(2), which adds up all threads.
pub(crate) fn cpu_micros() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1000).unwrap_or(0)
}

/// A counter of fractions.
#[derive(Clone, Debug)]
struct CpuSeconds;

impl EncodeMetric for CpuSeconds {
    #[allow(clippy::cast_precision_loss)] // 2^53 µs are 285 years of CPU
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let seconds = cpu_micros() as f64 / 1e6;
        encoder.encode_counter::<NoLabelSet, _, f64>(&seconds, None::<&Exemplar<NoLabelSet, f64>>)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// The second number of /proc/self/statm, in pages (proc_pid_statm(5)).
#[allow(clippy::cast_precision_loss)]
fn resident_bytes() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) as f64)
}

/// The soft limit.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn descriptor_limit() -> Option<f64> {
    getrlimit(Resource::Nofile).current.map(|limit| limit as f64)
}

/// How many descriptors are open.
#[derive(Default)]
struct Descriptors {
    counted: Mutex<Option<(Instant, u64)>>,
}

impl Descriptors {
    /// Since Linux 6.2 the size of /proc/self/fd is their number. Before, it is 0 and they must be counted one
    /// by one, which takes a while if there are many.
    #[allow(clippy::cast_precision_loss)]
    fn count(&self) -> Option<f64> {
        match fs::metadata("/proc/self/fd").ok()?.size() {
            0 => self.count_rarely(Instant::now()),
            size => Some(size),
        }
        .map(|count| count as f64)
    }

    fn count_rarely(&self, now: Instant) -> Option<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match *counted {
            Some((then, count)) if now.saturating_duration_since(then) < COUNTED_EVERY => Some(count),
            _ => {
                // Without the one that reads them.
                let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64;
                *counted = Some((now, count));
                Some(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_itself() {
        let before = cpu_micros();
        while cpu_micros() < before + 2000 {}
        let resident = resident_bytes().unwrap();
        assert!((1e5..1e11).contains(&resident), "{resident}");
        assert!(descriptor_limit().unwrap() >= 64.0);
    }

    #[test]
    fn descriptors_are_counted_rarely_and_rightly() {
        let (descriptors, now) = (Descriptors::default(), Instant::now());
        let before = descriptors.count_rarely(now).unwrap();
        let held: Vec<_> = (0..500).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        assert_eq!(descriptors.count_rarely(now + Duration::from_secs(9)), Some(before));
        // Other tests open and close some meanwhile.
        let after = descriptors.count_rarely(now + COUNTED_EVERY).unwrap();
        assert!(after > before + 200, "{before} and {after}");
        assert!(descriptors.count().unwrap() >= 500.0);
        drop(held);
    }
}
