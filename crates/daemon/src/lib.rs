//! Being a well-behaved process: flag units, logs, listening, accepting, stopping.

pub mod listen;
