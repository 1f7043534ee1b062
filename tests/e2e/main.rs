//! The real programs between real peers. One test binary; the harness is the library of this package.

mod credential;
mod ending;
mod integrity;
mod map;
mod mysql;
mod origin;
mod refusal;
mod ssh;
