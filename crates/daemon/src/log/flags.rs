//! The flags with which a user sets the logs, the same in every program.

use clap::Args;

use super::{Format, Level, init};

/// `--log-format` and `--log-level`; flattened into a program's own flags.
#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// Form of the log lines on stderr [default: text on a terminal, else json]
    #[arg(long, value_name = "text|json|ltsv")]
    pub log_format: Option<Format>,

    /// What is logged: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<Level>,
}

impl LogArgs {
    /// Logs as the flags say from now on.
    pub fn init(&self) {
        self.init_at(Level::Info);
    }

    /// The same where the terminal is somebody else's: warnings only, unless a flag says otherwise.
    pub fn init_quietly(&self) {
        self.init_at(Level::Warn);
    }

    fn init_at(&self, default: Level) {
        let format = self.log_format.unwrap_or_else(Format::suited_to_stderr);
        init(format, self.log_level.unwrap_or(default));
    }
}
