//! The status: what a program is doing, over HTTP on a socket of its own.
//!
//! | path | answer |
//! |---|---|
//! | `/live` | 200 `ok` as long as somebody answers |
//! | `/ready` | 200 `ready`, or 503 with one word why not |
//! | `/metrics` | Prometheus text, or OpenMetrics if `Accept` prefers it |
//! | `/mackerel` | the plugin's lines; `?all=1` for all, `?instance=NAME` for names that begin so, `?meta=1` for the graphs |
//! | `/status` | the document below, JSON; `?sessions=1` for what there may be many of, `?brief=1` for the first part alone, without `metadata` and `now` |
//! | `/` | a page that shows the same, live |
//!
//! The document is an object. These fields are the same in every program; a program adds its own, and one of
//! its own with such a name wins:
//!
//! ```text
//! program, version   text
//! pid                number
//! uptime_seconds     number
//! ready, draining    true or false
//! reason             null, or one word why it is not ready
//! reload             null, or {"succeeded": N, "failed": N, "stale": BOOL}: how reading the files again went,
//!                    and whether what is in force is older than they are
//! limits             null, or an object of numbers
//! warnings, critical lists of sentences; `health` exits with 1 or 2 if there are any
//! metadata           an object that changes only when the configuration does
//! now                [{"graph", "graph_label", "name", "label", "unit", "value": number or null,
//!                      "history": [number or null, …]}, …]: the lines of the default set, their values as
//!                    the agent gets them, and those of the last 60 seconds, one a second
//! ```
//!
//! What else a program says is shown on the page: an array of objects as a table, an object and a plain value
//! as a row.

mod answer;
mod document;
mod host;
mod listener;
mod page;

use std::fmt;
use std::sync::Arc;

use clap::Args;
use daemon::listen::ListenAddr;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
pub use document::listed;
pub use listener::{Busy, StatusListener};

/// How many sessions, or whatever there may be many of, a document lists at most.
pub const MOST_SESSIONS: usize = 1000;

/// `--status-listen`; flattened into a program's own flags.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Where health, metrics and a status page are answered: host:port or unix:/path (mode 0660). Nobody is
    /// asked for a password there: keep it on loopback or a unix socket
    #[arg(long, value_name = "ADDR")]
    pub status_listen: Option<ListenAddr>,
}

/// What a program says of itself beside its metrics. All of it is asked for while a request waits, so it must
/// come from memory, and in a bounded time.
pub trait Report: Send + Sync + 'static {
    /// One word why it is not ready (`no-keys`), none if it is. That it drains is known without it.
    fn unready(&self) -> Option<&'static str> {
        None
    }

    /// The program's own fields of the document, which should be an object. Counts; and lists of what there are
    /// few of.
    fn status(&self, _question: Question) -> Value {
        Value::Null
    }

    /// How reading the files again went; none if there is nothing to read again.
    fn reload(&self) -> Option<Reload> {
        None
    }

    /// Numbers that cannot be passed: `max_connections`.
    fn limits(&self) -> Map<String, Value> {
        Map::new()
    }

    /// What an administrator should look at, in sentences that do not change while the reason does not: `health`
    /// exits with 1.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What costs somebody something now: `health` exits with 2.
    fn critical(&self) -> Vec<String> {
        Vec::new()
    }

    /// Stable facts for the agent's metadata: a hash of the configuration, destinations ([`listed`]). No secrets.
    fn metadata(&self) -> Map<String, Value> {
        Map::new()
    }
}

/// Nothing to add.
impl Report for () {}

/// What a document should have beside the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Whether to list sessions, or whatever there may be many of: [`MOST_SESSIONS`] at most.
    pub sessions: bool,
}

/// How reading the files again went: [`daemon::reload::Counts`] in a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// How often it went well.
    pub succeeded: u64,
    /// How often an error left everything as it was.
    pub failed: u64,
    /// Whether the last one failed; `health` warns then.
    pub stale: bool,
}

impl From<&daemon::reload::Counts> for Reload {
    fn from(counts: &daemon::reload::Counts) -> Self {
        Self { succeeded: counts.succeeded(), failed: counts.failed(), stale: counts.is_stale() }
    }
}

impl Reload {
    fn json(self) -> Value {
        json!({ "succeeded": self.succeeded, "failed": self.failed, "stale": self.stale })
    }
}

/// What a [`StatusListener`] answers from.
pub struct Status {
    /// The metrics.
    pub registry: Arc<Registry>,
    /// The rest.
    pub report: Box<dyn Report>,
    /// Cancelled when the program begins to drain: it is not ready then.
    pub draining: CancellationToken,
}

impl Status {
    /// Of a program that drains when `draining` is cancelled.
    pub fn new(registry: Arc<Registry>, report: impl Report, draining: CancellationToken) -> Self {
        Self { registry, report: Box::new(report), draining }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("registry", &self.registry).finish_non_exhaustive()
    }
}
