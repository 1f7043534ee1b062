//! A pipe with a bandwidth limit that all sabo processes of a directory share.

mod bandwidth;
mod schedule;

pub use bandwidth::{Bandwidth, InvalidAmount, Size};
pub use schedule::Schedule;
