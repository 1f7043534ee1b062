//! Declaring a program's metrics, each once: name, kind, unit, label, help; and the graphs they are shown in.

use std::collections::BTreeSet;

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{self, Metric, Unit as Base};

use crate::counter::Counter;
use crate::family::Family;
use crate::gauge::{Gauge, Reading};
use crate::graph::{Graph, Line, Unit};
use crate::histogram::Histogram;
use crate::name::Part;
use crate::process;
use crate::registry::Registry;
use crate::total::Total;

/// How many lines of a program are in the default set, at most; those of its process come on top.
pub const MOST_BY_DEFAULT: usize = 12;

/// Who is monitored.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// As it is called: `wsgate-server`.
    pub name: &'static str,
    /// `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
}

impl Program {
    /// What the names of its metrics begin with: `wsgate_server`.
    fn prefix(self) -> String {
        self.name.replace('-', "_")
    }
}

/// A program's metrics while they are being declared; [`Declare::done`] makes the registry of them.
///
/// A metric's name is without the program's and without `_total`, in base units, and ends with them if it has
/// one: `received_bytes`, `setup_seconds`. A help text has no full stop.
///
/// # Panics
/// In a debug build, if a name is none, or is there twice, or if more than [`MOST_BY_DEFAULT`] lines are in the
/// default set: the declarations are constants of a program, and one unit test that makes them checks them all.
pub struct Declare {
    program: Program,
    own: registry::Registry,
    names: BTreeSet<&'static str>,
    graphs: Vec<Graph>,
    has_process: bool,
}

impl Declare {
    /// Nothing is declared yet but what every process has.
    pub fn new(program: Program) -> Self {
        let own = registry::Registry::with_prefix(program.prefix());
        Self { program, own, names: BTreeSet::new(), graphs: Vec::new(), has_process: true }
    }

    /// As [`Declare::new`], for a process that tells of others and ends: it has no metrics of its own, and all
    /// others have these labels, which keep apart what several of its kind tell.
    pub fn about_others(program: Program, labels: &[(&'static str, &str)]) -> Self {
        let owned = labels.iter().map(|(label, value)| ((*label).into(), (*value).to_owned().into()));
        let own = registry::Registry::with_prefix_and_labels(program.prefix(), owned);
        Self { own, has_process: false, ..Self::new(program) }
    }

    /// What only ever grows.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        self.register(name, help, Counter::default())
    }

    /// A counter for each value of a label. With `values` it has these and `other`; with none, the first
    /// sixteen that come.
    pub fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[&str],
    ) -> Family<Counter> {
        self.register(name, help, Family::new(label, values, Counter::default))
    }

    /// What goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        self.register(name, help, Gauge::default())
    }

    /// A gauge for each value of a label, as [`Declare::counters`].
    pub fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[&str],
    ) -> Family<Gauge> {
        self.register(name, help, Family::new(label, values, Gauge::default))
    }

    /// A gauge that is read when somebody asks, see [`Reading::read_from`].
    pub fn reading(&mut self, name: &'static str, help: &'static str) -> Reading {
        self.register(name, help, Reading::default())
    }

    /// What only ever grows and is kept elsewhere, see [`Total::read_from`].
    pub fn total(&mut self, name: &'static str, help: &'static str) -> Total {
        self.register(name, help, Total::default())
    }

    /// A distribution with these upper bounds, [`SECONDS`](crate::histogram::SECONDS) perhaps.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, bounds: &'static [f64]) -> Histogram {
        self.register(name, help, Histogram::new(bounds))
    }

    /// A distribution for each value of a label, as [`Declare::counters`].
    pub fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
        label: &'static str,
        values: &[&str],
    ) -> Family<Histogram> {
        self.register(name, help, Family::new(label, values, move || Histogram::new(bounds)))
    }

    /// Facts that never change, as labels of a metric that is always 1.
    pub fn info(&mut self, name: &'static str, help: &'static str, facts: &[(&str, &str)]) {
        let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
        let facts: Vec<(String, String)> = facts.iter().map(owned).collect();
        self.claim(name, help);
        self.own.register(name, help, Info::new(facts));
    }

    /// A graph of lines that have the same unit. Names are parts of `PROGRAM.GRAPH.LINE`.
    pub fn graph<const N: usize>(
        &mut self,
        name: &'static str,
        label: &'static str,
        unit: Unit,
        lines: [Line; N],
    ) {
        debug_assert!(self.graphs.iter().all(|graph| graph.name != name), "graph {name} is there twice");
        debug_assert!(Part::is(name), "{name} is no name of a graph");
        let lines = Vec::from(lines);
        for (name, _) in lines.iter().flat_map(Line::drawn) {
            debug_assert!(name == "*" || Part::is(&name), "{name} is no name of a line");
        }
        self.graphs.push(Graph { name, label, unit, lines });
    }

    /// The registry of all that was declared, with what every process has unless it tells
    /// [of others](Self::about_others).
    pub fn done(mut self) -> Registry {
        let mut all = registry::Registry::default();
        let process = match self.has_process {
            true => process::declare(&mut self, &mut all),
            false => process::none(),
        };
        let by_default = self.graphs.iter().flat_map(|graph| &graph.lines).filter(|line| line.by_default);
        let count: usize = by_default.map(Line::count).sum();
        debug_assert!(count <= MOST_BY_DEFAULT, "{count} lines are in the default set");
        let ours = |graph: &Graph| process.graphs.iter().any(|other| other.name == graph.name);
        debug_assert!(!self.graphs.iter().any(ours), "a graph is called as one of the process");
        self.info("build", "What is running", &[("version", self.program.version)]);
        Registry::new(self.program, [self.own, all], self.graphs, process)
    }

    /// Registers what has a value for everybody who asks.
    pub(crate) fn register<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        help: &'static str,
        metric: M,
    ) -> M {
        self.claim(name, help);
        register(&mut self.own, name, help, metric)
    }

    fn claim(&mut self, name: &'static str, help: &'static str) {
        debug_assert!(is_metric_name(name), "{name} is no name of a metric");
        debug_assert!(
            !help.is_empty() && !help.ends_with('.') && !help.contains('\n'),
            "help of {name}: {help}"
        );
        let is_new = self.names.insert(name);
        debug_assert!(is_new, "{name} is declared twice");
    }
}

/// The unit is what the name ends with.
pub(crate) fn register<M: Metric + Clone>(
    registry: &mut registry::Registry,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    let base = |(suffix, unit)| name.strip_suffix(suffix).map(|stem| (stem, unit));
    match [("_seconds", Base::Seconds), ("_bytes", Base::Bytes)].into_iter().find_map(base) {
        Some((stem, unit)) => registry.register_with_unit(stem, help, unit, metric.clone()),
        None => registry.register(name, help, metric.clone()),
    }
    metric
}

/// Words in small letters; what the encoding adds by itself is left to it.
fn is_metric_name(name: &str) -> bool {
    let own = ["_total", "_info", "_count", "_sum", "_bucket", "_created"];
    let of_words = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(of_words)
        && !own.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether declaring this panics.
    fn is_refused(declaring: impl FnOnce(&mut Declare) + std::panic::UnwindSafe) -> bool {
        let all = || {
            let mut declare = Declare::new(Program { name: "x", version: "1" });
            declaring(&mut declare);
            declare.done();
        };
        std::panic::catch_unwind(all).is_err()
    }

    #[test]
    fn what_is_declared_wrong_is_noticed_when_it_is_declared() {
        assert!(!is_refused(|declare| drop(declare.counter("opened", "Opened"))));
        assert!(is_refused(|declare| drop(declare.counter("opened_total", "Opened"))));
        assert!(is_refused(|declare| drop(declare.counter("opened", "Opened."))));
        assert!(is_refused(|declare| {
            declare.counter("opened", "Opened");
            declare.gauge("opened", "Again");
        }));
        assert!(is_refused(|declare| declare.graph("a.b", "A", Unit::Float, [])));
        assert!(is_refused(|declare| declare.graph("memory", "A", Unit::Float, [])));
        let line = |gauge: &Gauge, name| Line::now(name, "now", gauge).by_default();
        assert!(is_refused(move |declare| {
            let gauge = declare.gauge("open", "Open");
            declare.graph("a", "A", Unit::Float, [line(&gauge, "x/y")]);
        }));
    }

    #[test]
    fn twelve_lines_are_in_the_default_set_at_most() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let twelve = move |declare: &mut Declare| {
            let gauge = declare.gauge("open", "Open");
            declare.graph("a", "A", Unit::Float, names.map(|name| Line::now(name, "", &gauge).by_default()));
            gauge
        };
        assert!(!is_refused(move |declare| drop(twelve(declare))));
        assert!(is_refused(move |declare| {
            let gauge = twelve(declare);
            declare.graph("b", "B", Unit::Float, [Line::now("m", "", &gauge).by_default()]);
        }));
        assert!(is_refused(|declare| {
            let users = declare.counters("users", "Users", "user", &[]);
            declare.graph("users", "Users", Unit::Float, [Line::each(&users).by_default()]);
        }));
    }

    #[test]
    fn names_of_metrics() {
        for (name, expected) in [
            ("sessions", true),
            ("received_bytes", true),
            ("http2_streams", true),
            ("", false),
            ("Sessions", false),
            ("opened_total", false),
            ("9lives", false),
            ("a-b", false),
        ] {
            assert_eq!(is_metric_name(name), expected, "{name}");
        }
    }
}
