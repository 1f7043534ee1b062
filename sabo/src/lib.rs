//! A pipe with a bandwidth limit that all sabo processes of a directory share.

mod bandwidth;
mod bucket;
mod clock;
mod group;
mod names;
mod schedule;
mod share;
mod work_dir;

pub use bandwidth::{Bandwidth, InvalidAmount, Size};
pub use schedule::Schedule;
pub use group::Key;
