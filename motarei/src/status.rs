//! The status: what the proxy knows, over HTTP on a socket of its own, as [`monitor::status`] answers it.
//!
//! `GET /status` gives the [`Document`], among the fields that all programs have; `motarei status` asks for it and
//! shows it.

mod ask;
mod concern;
mod document;
mod lookup;
mod metadata;
mod seen;
mod serve;
mod show;
mod siblings;
mod sources;

pub use ask::ask;
pub(crate) use concern::Limits;
pub use document::{App, Container, Document, Engine, Listener, Port};
pub(crate) use metadata::metadata;
pub(crate) use seen::{Clock, Seen};
pub(crate) use serve::{serve, serve_own};
pub use show::show;
pub(crate) use sources::Sources;

use daemon::listen::ListenAddr;

/// Where the status is, and whether somebody said so.
#[derive(Clone, Debug)]
pub struct StatusAddress {
    /// To listen on, or to ask.
    pub address: ListenAddr,
    /// If it was not given, it is no error that it cannot be listened on.
    pub given: bool,
}

/// The default.
pub const SOCKET: &str = "unix:/run/wsgate/motarei.sock";

impl StatusAddress {
    /// The given one, else the default.
    pub fn or_default(given: Option<ListenAddr>) -> Self {
        let is_given = given.is_some();
        Self {
            address: given.unwrap_or_else(|| ListenAddr::Unix(SOCKET.trim_start_matches("unix:").into())),
            given: is_given,
        }
    }
}
