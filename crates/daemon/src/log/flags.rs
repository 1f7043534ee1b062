//! The flags with which a user sets the logs, the same in every program.

use clap::Args;

use super::{Format, Level, init};

/// `--log-format` and `--log-level`; flattened into a program's own flags.
#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// Form of the log lines on stderr [default: text on a terminal, else json]
    #[arg(long, value_name = "text|json|ltsv")]
    pub log_format: Option<Format>,

    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: Level,
}

impl LogArgs {
    /// Logs as the flags say from now on.
    pub fn init(&self) {
        init(self.log_format.unwrap_or_else(Format::suited_to_stderr), self.log_level);
    }
}
