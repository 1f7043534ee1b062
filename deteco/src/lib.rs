//! `deteco` answers nginx's `auth_request`: is this token good, and may its bearer see this path?
//!
//! ```text
//!  Args, File ─► Config ─► run(sockets)
//!                 │    │ accept
//!  Snapshot<Ruleset>   │      ◄── reload: SIGHUP, changed files, fetched JWK sets
//!                      ▼
//!                  connection ── hyper ── Question
//!                                            │ decide: token ── service ── key ── deny list
//!                                            │         ── path, method ── scope
//!                                            ▼
//!                                        Decision ── 200 | 401 | 403, no body ── log line, Metrics
//! ```
//!
//! Every step of a decision is a pure function of the question, one snapshot of the rules and the time, but
//! for the look-up in the cache of verified tokens, which belongs to that snapshot. `deteco explain` shows the
//! steps of the same code.

mod answer;
mod args;
mod auth_path;
mod cache;
pub mod check;
mod config;
mod connection;
mod decide;
mod decision_log;
mod deny;
mod endpoint;
pub mod explain;
mod file;
mod gate;
mod identity;
mod instant;
pub mod jwtgen;
mod metrics;
pub mod nginx_check;
pub mod nginx_conf;
mod path;
mod proxies;
mod question;
mod reason;
pub mod rules;
mod ruleset;
mod run;
mod status;
#[cfg(test)]
mod test;

pub use args::{Args, Command};
pub use auth_path::{AuthPath, InvalidAuthPath};
pub use cache::Cache;
pub use check::{CheckArgs, Checked, check};
pub use config::{Config, Patience};
pub use decide::{Decision, decide};
pub use deny::{DenyList, DenyListError};
pub use identity::Identity;
pub use metrics::{Metrics, PROGRAM};
pub use path::{MergeSlashes, Prefix, PrefixError, UriPolicy, normalise};
pub use proxies::Proxies;
pub use question::{Lines, Question};
pub use reason::{Reason, Status};
pub use rules::{Keeper, Loaded, Rules, RulesOptions};
pub use ruleset::{Method, Methods, Rule, Ruleset, Service};
pub use run::{Doors, run};
