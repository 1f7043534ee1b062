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
//!                                        Decision ── 200 | 401 | 403, no body ── log line
//! ```
//!
//! Every step of a decision is a pure function of the question, one snapshot of the rules and the time, but
//! for the look-up in the cache of verified tokens, which belongs to that snapshot. `deteco explain` shows the
//! steps of the same code.

mod cache;
pub mod check;
mod decide;
mod deny;
mod file;
mod identity;
mod instant;
mod path;
mod question;
mod reason;
pub mod rules;
mod ruleset;

pub use cache::Cache;
pub use check::{CheckArgs, Checked, check};
pub use decide::{Decision, decide};
pub use deny::{DenyList, DenyListError};
pub use identity::Identity;
pub use path::{MergeSlashes, Prefix, PrefixError, UriPolicy, normalise};
pub use question::{Lines, Question};
pub use reason::{Reason, Status};
pub use rules::{Keeper, Loaded, Rules, RulesOptions};
pub use ruleset::{Method, Methods, Rule, Ruleset, Service};
