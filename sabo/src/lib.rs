//! A pipe with a bandwidth limit that all sabo processes of a directory share.

mod bandwidth;
mod bucket;
mod clock;
mod schedule;
mod share;

pub use bandwidth::{Bandwidth, InvalidAmount, Size};
pub use schedule::Schedule;
