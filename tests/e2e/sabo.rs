//! sabo as its users run it: real dumps, real disks, real signals.

mod bounds;
mod bytes;
mod control;
mod display;
mod ending;
mod hostile;
mod mysql;
mod originals;
mod rate;
mod share;
mod users;
mod work_dir;
