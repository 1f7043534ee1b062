//! Logs: one event, one line.

mod limited;

pub use limited::Limited;
