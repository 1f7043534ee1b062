//! `motarei` listens on the ports of Docker containers that carry a label and carries every new connection
//! to the newest container that is ready.
//!
//! ```text
//!  Args, File ─► Config ─► Sockets ─► run
//!
//!  engine ──► discovery ──► keeper ─────► routes ──► connection ◄── accept ◄── listeners
//!             (events,      (fleet, a     (watch)    │ hold, dial                 ▲
//!              lists)        pure state              ▼                            │ ports of the
//!                            machine)                relay ─► Ended ─► log line   │ containers
//!                            ▲   │  └─ wanted ────────────────────────────────────┘
//!                    probe ──┘   └─ seen ─► status ◄─ registry ◄─ metrics ◄─ tally of each app
//! ```
//!
//! The engine is reached only by discovery: a connection reads the newest snapshot of the routes, and never
//! asks. A dial that fails is told to the keeper, which probes; what is ready is not probed again.

mod address;
mod app;
mod args;
mod check;
mod config;
mod connection;
mod container;
mod dial;
mod discovery;
mod ending;
mod engine;
mod event;
mod file;
mod first_process;
mod fleet;
mod half_open;
mod hold;
mod keeper;
mod listeners;
mod metrics;
mod pinned;
mod probe;
mod routes;
mod rule;
mod run;
mod selector;
mod sockets;
pub mod status;
mod tally;
mod wait;
mod want;
mod worker;

pub use address::{Reach, Via};
pub use app::App;
pub use args::{Args, BindHost, Command};
pub use check::{CheckArgs, Warning, check};
pub use config::Config;
pub use engine::{ApiVersion, EngineAddress, Transport};
pub use metrics::{PROGRAM, registry};
pub use probe::Check;
pub use rule::{BadRule, Rule};
pub use run::run;
pub use selector::Label;
pub use sockets::{Bound, Failed, Sockets};
pub use wait::{Moment, Reference, WaitArgs, wait};
pub use worker::{RunArgs, run as run_worker};
