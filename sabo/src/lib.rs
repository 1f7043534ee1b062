//! A pipe with a bandwidth limit that all sabo processes of a directory share.

mod bandwidth;
mod bucket;
mod census;
mod clock;
mod group;
mod local_time;
mod lock_file;
mod member;
mod names;
pub mod say;
mod schedule;
mod share;
mod signals;
mod tally;
mod work_dir;

pub use bandwidth::{Bandwidth, InvalidAmount, Size};
pub use schedule::Schedule;
pub use group::Key;
pub use member::{Identity, Label, Weight};
