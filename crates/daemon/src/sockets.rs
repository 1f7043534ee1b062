//! The sockets that a program listens on: inherited, or its own.

use anyhow::Result;

use crate::inherit;
use crate::listen::{self, ListenAddr, Listener};

/// Listening sockets, and where they come from: that decides how a shutdown goes.
#[derive(Debug)]
pub struct Sockets {
    /// At least one.
    pub listeners: Vec<Listener>,
    /// From start_server or systemd: somebody else accepts when we no longer do.
    pub inherited: bool,
}

impl Sockets {
    /// Takes the inherited sockets, all of them, or binds `address` if there are none. Logs each. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// A malformed announcement, or an address that cannot be bound.
    pub async fn open(address: &ListenAddr) -> Result<Self> {
        let sockets = match inherit::from_process()? {
            Some(inherited) => Self {
                listeners: inherited.into_iter().map(|socket| socket.listener).collect(),
                inherited: true,
            },
            None => Self { listeners: listen::bind(address).await?, inherited: false },
        };
        for listener in &sockets.listeners {
            tracing::info!(address = %listener, inherited = sockets.inherited, "listening");
        }
        Ok(sockets)
    }
}
