//! Being a well-behaved process: flag units, logs, listening, accepting, stopping.

pub mod accept;
pub mod argv;
pub mod exit;
mod go_duration;
pub mod inherit;
pub mod limits;
pub mod listen;
pub mod log;
pub mod stop;

pub use go_duration::{GoDuration, InvalidDuration};
