//! Logs: to stderr, one line an event whatever its fields contain, 4 KiB at most.
//!
//! ```text
//! json  {"time":"2026-11-21T20:44:28.123Z","level":"info","message":"closed","bytes":12,"peer":"192.0.2.1:7"}
//! text  2026-11-21T20:44:28.123Z  INFO closed bytes=12 peer=192.0.2.1:7
//! ltsv  time:2026-11-21T20:44:28.123Z\tlevel:info\tmessage:closed\tbytes:12\tpeer:192.0.2.1:7
//! ```
//!
//! The event's own fields come first, then those of its spans from the inside out. A name that was already
//! written is left out, as are fields called `time`, `level` or `cut`. `cut` is `true` on a line that had to
//! be shortened.

mod entry;
mod escape;
mod fields;
mod flags;
mod json;
mod layer;
mod limited;
mod line;
mod ltsv;
mod patient;
mod rfc3339;
mod text;

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

pub use escape::is_hostile;
pub use flags::LogArgs;
use layer::Lines;
pub use limited::Limited;
use patient::Patient;
pub use rfc3339::utc;

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// To be read by people.
    Text,
    /// A JSON object.
    Json,
    /// Labeled tab-separated values (ltsv.org); the values are escaped as in text.
    Ltsv,
}

/// The least severe events that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Faults of ours that cost somebody something.
    Error,
    /// What an administrator should look at.
    Warn,
    /// A line a connection.
    Info,
    /// What peers did wrong, too.
    Debug,
    /// Everything, of our libraries too.
    Trace,
}

/// No such format or level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {known}")]
pub struct Unknown {
    /// What was written.
    pub text: String,
    /// What could be written.
    pub known: &'static str,
}

/// Logs to stderr from now on; text is coloured on a terminal, unless `NO_COLOR` is set and not empty
/// (no-color.org). Only the first call in a process has an effect.
pub fn init(format: Format, level: Level) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let coloured = io::stderr().is_terminal() && !no_color;
    let lines = Lines::new(style(format, coloured), Patient::new(io::stderr()));
    let filtered = Registry::default().with(lines).with(LevelFilter::from(level));
    // A second program in one process (a test) finds the first one's logs good enough.
    let _ = tracing::subscriber::set_global_default(filtered);
}

fn style(format: Format, coloured: bool) -> layer::Render {
    match format {
        Format::Json => json::line,
        Format::Ltsv => ltsv::line,
        Format::Text if coloured => text::coloured,
        Format::Text => text::line,
    }
}

impl Format {
    /// What is used if nobody says otherwise: text on a terminal, else JSON.
    pub fn suited_to_stderr() -> Self {
        if io::stderr().is_terminal() { Format::Text } else { Format::Json }
    }
}

impl FromStr for Format {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            "ltsv" => Ok(Format::Ltsv),
            _ => Err(Unknown { text: text.to_owned(), known: "text, json, ltsv" }),
        }
    }
}

impl FromStr for Level {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "error" => Ok(Level::Error),
            "warn" => Ok(Level::Warn),
            "info" => Ok(Level::Info),
            "debug" => Ok(Level::Debug),
            "trace" => Ok(Level::Trace),
            _ => Err(Unknown { text: text.to_owned(), known: "error, warn, info, debug, trace" }),
        }
    }
}

/// The text that is parsed.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LevelFilter::from(*self).fmt(f)
    }
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

#[cfg(test)]
mod tests;
