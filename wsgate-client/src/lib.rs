//! `wsgate-client` listens on local sockets and carries every connection to a gateway over WebSocket, with
//! the caller's credential.
//!
//! ```text
//!  Args ─► Config ─┬► Forwards::bind ─► run: Serving, one Forward a map line ◄── reload: another map
//!                  ├► stdio (one tunnel)         │ accept
//!                  └► check (each step told)     ▼
//!   attempt, again while the budget lasts: credential ─► connect (dial, proxy, TLS) ─► upgrade ─ 101
//!                                                                                                 │
//!   local socket ⇄ tunnel ⇄ gateway ─► Ended ─► log line                                   ◄──────┘
//!                    └─ resume: the next WebSocket, when the last one is cut or old (dialect 2)
//! ```
//!
//! Tokens that others make are kept fresh by a `Keeper` for each `Source`, beside all that: no attempt waits
//! for a renewal while there is a good token.
//!
//! What stops an attempt is an `AttemptError`: it says what the gateway answered and whether
//! another attempt makes sense. A local connection that gets no tunnel is reset, so that no application
//! takes it for an empty answer.
//!
//! What happens is counted by `metrics`, and told on a socket of its own (`report`).

mod args;
mod attempt;
mod check;
mod config;
mod connect;
mod cookies;
mod credential;
mod endpoint;
mod fetch;
mod forward;
mod headers;
mod held;
mod iap;
mod keeper;
mod map;
mod metrics;
mod offer;
mod refusal;
mod report;
mod resume;
mod retry;
mod run;
mod self_signed;
mod service;
mod service_account;
mod serving;
mod session;
mod signer;
mod source;
pub mod stdio;
mod stream;
mod tls;
mod token_command;
mod token_file;
mod upgrade;
mod wakes;

pub use args::{Args, Command, ResumeArgs};
pub use check::check;
pub use config::{Config, Work};
pub use forward::Forwards;
pub use metrics::{Metrics, PROGRAM};
pub use offer::Offer;
pub use run::run;
