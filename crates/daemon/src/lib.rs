//! Being a well-behaved process: flag units, logs, listening, accepting, stopping.

pub mod accept;
pub mod inherit;
pub mod listen;
pub mod log;
pub mod stop;
