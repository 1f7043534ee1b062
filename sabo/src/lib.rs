//! `sabo` is a pipe with a speed limit that it shares with every other sabo of a directory: bytes come in on
//! stdin and leave on stdout, and together the processes never move more than the limit.
//!
//! ```text
//!  Args ─► Config ─► run
//!                     │ join
//!                     ▼
//!   work dir ◄──► member ── share, schedule, ctl ─► rate ─► bucket (TAT, in the mapped group file)
//!       │            ▲                                         │
//!  census: originals │ attend, once a second                   │ when the next chunk may move
//!                    │                                         ▼
//!          stdin ──► carry: ready? ─► how much? ─► reserve ─► sleep ─► splice or read, write ──► stdout
//!                                                                         │
//!                              statistics, progress, exit status ◄── tally
//! ```
//!
//! One plain thread does all of it. `top`, `status`, `ctl`, and what monitoring agents run, look into the
//! group files from outside.

mod args;
mod bandwidth;
mod bucket;
mod carry;
mod census;
mod clock;
mod closed;
mod config;
mod ctl;
mod group;
mod health;
mod local_time;
mod lock_file;
mod member;
mod metrics;
mod monitoring;
mod names;
mod progress;
mod run;
pub mod say;
mod schedule;
mod share;
mod signals;
mod status;
mod summary;
mod tally;
mod top;
mod work_dir;

pub use args::{Action, Args, Change, Checksum, Ctl, Health, Look, Mackerel, Progress, Prometheus, Watch};
pub use bandwidth::{Bandwidth, InvalidAmount, Size};
pub use config::Config;
pub use ctl::ctl;
pub use group::Key;
pub use health::health;
pub use member::{Identity, Label, Weight};
pub use metrics::PROGRAM;
pub use monitoring::{mackerel, metrics};
pub use run::{Ended, run};
pub use schedule::Schedule;
pub use status::status;
pub use top::top;
