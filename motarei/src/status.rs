//! The status: what the proxy knows, as a JSON document over HTTP on a socket of its own.
//!
//! `GET /status` gives the [`Document`]; `motarei status` asks for it and shows it.

mod ask;
mod document;
mod lookup;
mod seen;
mod serve;
mod show;
mod siblings;

pub use ask::ask;
pub use document::{App, Container, Document, Engine, Listener, Port};
pub(crate) use seen::{Clock, Seen};
pub(crate) use serve::{Status, serve, serve_own};
pub use show::show;

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
