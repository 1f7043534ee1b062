//! What a line says, before it has a form.

use std::time::SystemTime;

use tracing::Level;

use super::fields::Fields;

pub(super) struct Entry {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) fields: Fields,
}

impl Entry {
    /// The level as JSON and LTSV write it.
    pub(super) fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }
}
