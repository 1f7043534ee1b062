//! `wsgate-server` accepts a WebSocket upgrade at `/proxy/{name}`, decides whether this caller may reach
//! `name`, and carries bytes to a private TCP service.
//!
//! ```text
//!  Args, File ─► Config ─► run(listeners)
//!                 │    │ accept
//!   Snapshot<Policy>   │       ◄── reload: SIGHUP, changed files
//!                      ▼
//!                   arrival: PROXY header, TLS
//!                      │
//!   guarded ◄── connection ── hyper ── request
//!  (deadlines)                          │ upgrade: is it one? ── origin ── draining?
//!                                       │ identify (token, assertion) ── destination, rules ── limits
//!                                       ▼
//!                                      dial ── 101 ── tunnel ⇄ destination ── Ended ── log line
//! ```
//!
//! A tunnel of dialect 2 outlives its WebSocket: its task waits for the client, and `held` leads the one to the
//! other. A resume is asked all of the above too, but for limits and dial. If its session is in another process of
//! this host, which was upgraded, `handover` leads the one to the other.
//!
//! Whatever stops a request on the way is a `refusal`: an HTTP answer with a status, a word and a short
//! text. Nothing is dialled before the caller is allowed. What decides is one snapshot of the policy, from
//! the first question about a request to the last.
//!
//! What happens is counted by `metrics`, and told on a socket of its own (`report`).

mod args;
mod arrival;
mod audit;
mod backend;
mod config;
mod connection;
mod destinations;
mod dev;
mod dump;
mod edge;
pub mod file;
mod guarded;
mod handover;
mod held;
mod identity;
mod keeping;
mod limits;
mod metrics;
mod origin;
mod policy;
mod protected;
mod proxies;
mod refusal;
mod report;
pub mod rules;
mod run;
mod session;
mod stream;
mod upgrade;

pub use args::{Args, Command, EdgeArgs, ResumeArgs};
pub use audit::Audit;
pub use config::Config;
pub use dev::Dev;
pub use edge::Edge;
pub use keeping::Keeping;
pub use metrics::{Metrics, PROGRAM};
pub use proxies::Proxies;
pub use run::run;
