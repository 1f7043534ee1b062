//! What a program tells a monitoring agent: metrics, the windows over them, the status listener, the plugin.
//!
//! What goes in is counts and a few facts; what comes out is text for Prometheus, lines and graphs for Mackerel,
//! JSON and a page for people. It is a crate beside `daemon` because `daemon` needs no HTTP and no JSON, and what
//! listens well should not depend on them.
//!
//! ```text
//! metrics.rs: Declare ─► handles ──► connections count, by relaxed atomics
//!                │                        │
//!                └─► Registry ◄── tick ───┘ a copy a second: rates, percentiles, the last hour
//!                       │
//!                       ├─► Exposition            /metrics
//! StatusListener ───────┼─► lines, graphs         /mackerel ◄── ask ◄── PROGRAM mackerel
//!                       └─► Report, headlines     /status, / ◄── ask ◄── PROGRAM health
//! ```
//!
//! # A program's `metrics.rs`
//!
//! Everything is declared in one place, each metric once, before anything that it will measure exists: the plugin
//! prints the graphs of a daemon that is down. Handles are cheap clones; what has a label is looked up when a
//! connection starts, and not in its loop.
//!
//! ```
//! use monitor::{Counter, Declare, Family, Gauge, Histogram, Line, Program, Reading, Registry, Unit, histogram};
//!
//! pub const PROGRAM: Program = Program { name: "example-gate", version: env!("CARGO_PKG_VERSION") };
//!
//! /// What is counted.
//! #[derive(Clone, Debug)]
//! pub struct Metrics {
//!     pub sessions: Gauge,
//!     pub opened: Counter,
//!     pub refused: Family<Counter>,
//!     pub received: Counter,
//!     pub setup: Histogram,
//!     pub keys: Reading,
//! }
//!
//! impl Metrics {
//!     /// The handles, and the registry that they are in.
//!     pub fn declare() -> (Self, Registry) {
//!         let mut declare = Declare::new(PROGRAM);
//!         let metrics = Self {
//!             sessions: declare.gauge("sessions", "Sessions that are open"),
//!             opened: declare.counter("sessions_opened", "Sessions that were opened"),
//!             refused: declare.counters("sessions_refused", "Requests refused", "reason", &["token", "rule", "busy"]),
//!             received: declare.counter("received_bytes", "Payload from clients"),
//!             setup: declare.histogram("setup_seconds", "From accept to the first byte", histogram::SECONDS),
//!             keys: declare.reading("keys", "Keys that are loaded"),
//!         };
//!         declare.graph("sessions", "Sessions", Unit::Integer, [
//!             Line::now("open", "open now", &metrics.sessions).by_default(),
//!         ]);
//!         declare.graph("rate", "Sessions a second", Unit::Float, [
//!             Line::rate("opened", "opened", &metrics.opened).by_default(),
//!             Line::rate("refused", "refused", &metrics.refused).by_default(),
//!         ]);
//!         declare.graph("refused", "Refused a second, by reason", Unit::Float, [Line::each(&metrics.refused).stacked()]);
//!         declare.graph("bytes", "Throughput", Unit::BytesPerSecond, [
//!             Line::rate("up", "from clients", &metrics.received).by_default(),
//!         ]);
//!         declare.graph("setup", "Set-up", Unit::Milliseconds, [
//!             Line::percentile("p99", "99 %", &metrics.setup, 0.99).times(1000.0).by_default(),
//!         ]);
//!         declare.graph("keys", "Keys", Unit::Integer, [Line::now("loaded", "loaded", &metrics.keys)]);
//!         (metrics, declare.done())
//!     }
//! }
//!
//! let (metrics, registry) = Metrics::declare();
//! let _open = metrics.sessions.hold(); // moves into the connection's task, and goes with it
//! metrics.opened.inc();
//! metrics.refused.with("token").inc(); // a handle that a connection keeps
//! metrics.setup.observe(std::time::Duration::from_millis(3));
//! metrics.keys.read_from(|| Some(2.0)); // when the keys exist
//! assert!(registry.mackerel(None, monitor::Set::Default).contains("example-gate.sessions.open\t1\t"));
//! assert!(registry.expose(monitor::Exposition::Prometheus).contains("example_gate_sessions_opened_total 1\n"));
//! ```
//!
//! A unit test that calls `Metrics::declare()` is enough to check names, help texts, doubles and the twelve lines of
//! the default set, all of which are debug assertions. The process's own three lines (CPU %, memory, descriptors
//! used %) and `process_…` metrics are added by [`Declare::done`].
//!
//! # Wiring it in `run`
//!
//! `StatusArgs` is flattened into `Args`; in main, the status sockets are opened with the service's:
//!
//! ```
//! # use std::sync::Arc;
//! # use monitor::{Busy, Program, Question, Registry, Reload, Report, Status, StatusListener};
//! # use daemon::{listen::ListenAddr, sockets::Sockets, stop::Stop};
//! # use serde_json::{Map, Value, json};
//! # struct Gate { reloads: daemon::reload::Counts }
//! /// What the gate says of itself.
//! struct Told(Arc<Gate>);
//!
//! impl Report for Told {
//!     fn unready(&self) -> Option<&'static str> {
//!         None // or Some("no-keys"); that it drains is known without it
//!     }
//!
//!     fn reload(&self) -> Option<Reload> {
//!         Some((&self.0.reloads).into()) // a stale one becomes a warning by itself
//!     }
//!
//!     fn limits(&self) -> Map<String, Value> {
//!         [("max_connections".to_owned(), json!(1000))].into_iter().collect()
//!     }
//!
//!     fn status(&self, question: Question) -> Value {
//!         let mut own = json!({ "sessions": 1, "destinations": [{ "name": "db", "sessions": 1 }] });
//!         if question.sessions {
//!             own["session_list"] = json!([{ "id": 7, "destination": "db" }]); // monitor::MOST_SESSIONS at most
//!         }
//!         own
//!     }
//!
//!     fn metadata(&self) -> Map<String, Value> {
//!         [("configuration".to_owned(), json!("sha256:1f0e…"))].into_iter().collect()
//!     }
//! }
//!
//! # async fn stages(listen: ListenAddr, status_listen: Option<ListenAddr>, stop: Stop, registry: Registry) -> anyhow::Result<()> {
//! // main: inherited sockets called `status` are kept apart; an address that somebody has is an error, unless a
//! // former generation of us may have it.
//! let (sockets, for_status) = Sockets::open_beside_status(&listen).await?;
//! let busy = Busy::with_inherited(sockets.inherited);
//! let status_listener = StatusListener::open(status_listen, for_status, busy).await?;
//!
//! // run: it answers until the drain begins, so that a next generation can have the address.
//! # let gate = Arc::new(Gate { reloads: Default::default() });
//! if let Some(listener) = status_listener {
//!     let status = Status::new(Arc::new(registry), Told(gate.clone()), stop.draining.clone());
//!     tokio::spawn(listener.serve(Arc::new(status), stop.draining.clone()));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `/live` and `/ready` of a public listener stay where they are; nothing else of this is answered there.
//!
//! # Its subcommands
//!
//! ```
//! # use clap::{Parser, Subcommand};
//! # use std::process::ExitCode;
//! # use monitor::{Declare, Program, Registry, health::{HealthArgs, health}, plugin::{MackerelArgs, mackerel}};
//! # const PROGRAM: Program = Program { name: "example-gate", version: "0" };
//! # struct Metrics;
//! # impl Metrics { fn declare() -> (Self, Registry) { (Self, Declare::new(PROGRAM).done()) } }
//! #[derive(Subcommand)]
//! enum Command {
//!     /// Print what mackerel-agent takes from a plugin
//!     Mackerel(MackerelArgs),
//!     /// Check a running daemon: exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
//!     Health(HealthArgs),
//! }
//!
//! // Neither needs a runtime.
//! fn perform(command: Command) -> ExitCode {
//!     let said = match command {
//!         Command::Mackerel(args) => mackerel(&args, &Metrics::declare().1, |name| std::env::var(name).ok()),
//!         Command::Health(args) => health(&args, PROGRAM),
//!     };
//!     said.print(PROGRAM.name)
//! }
//! ```
//!
//! # A program that is no daemon
//!
//! Its numbers are in files that its processes write. It declares them with [`Declare::about_others`], as
//! [`Reading`]s and [`Total`]s, and prints them itself: [`plugin::wants_graphs`], [`plugin::definitions`],
//! [`Registry::mackerel`], [`health::verdict`].
//!
//! # Pushing instead of being asked
//!
//! An OTLP exporter would read the same registry: counters are monotonic cumulative sums that started at
//! [`Registry::started`], gauges and readings are gauges, a histogram's bounds are explicit ones. It would walk what
//! `Exposition` encodes, on a tick of its own at a random phase, and nothing that counts would know.

mod ask;
mod counter;
mod declare;
mod exposition;
mod family;
pub mod flags;
mod gauge;
mod graph;
pub mod health;
pub mod histogram;
mod mackerel;
mod name;
pub mod plugin;
mod process;
mod registry;
mod said;
#[cfg(test)]
mod sample;
pub mod status;
mod total;
mod window;

pub use counter::Counter;
pub use declare::{Declare, MOST_BY_DEFAULT, Program};
pub use exposition::Exposition;
pub use family::{Family, MOST_VALUES, OTHER};
pub use gauge::{Gauge, Held, Measured, Reading};
pub use graph::{Line, Unit};
pub use histogram::{Distributed, Histogram};
pub use registry::{Registry, Set};
pub use said::Said;
pub use status::{Busy, MOST_SESSIONS, Question, Reload, Report, Status, StatusArgs, StatusListener, listed};
pub use total::Total;
pub use window::Counts;
