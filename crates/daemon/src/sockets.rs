//! The sockets that a program listens on: inherited, or its own.

use anyhow::Result;

use crate::inherit::{self, Inherited};
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
        let inherited = inherit::from_process()?.unwrap_or_default();
        Self::these_or(inherited, address).await
    }

    /// The same, but inherited sockets that are called `status` (in `LISTEN_FDNAMES`) are for something else than
    /// the service, and are handed over beside the others.
    ///
    /// # Errors
    /// As [`Sockets::open`].
    pub async fn open_beside_status(address: &ListenAddr) -> Result<(Self, Vec<Listener>)> {
        let inherited = inherit::from_process()?.unwrap_or_default();
        let (status, service) = apart(inherited, "status");
        Ok((Self::these_or(service, address).await?, status))
    }

    async fn these_or(inherited: Vec<Inherited>, address: &ListenAddr) -> Result<Self> {
        let sockets = match inherited.is_empty() {
            false => Self {
                listeners: inherited.into_iter().map(|socket| socket.listener).collect(),
                inherited: true,
            },
            true => Self { listeners: listen::bind(address).await?, inherited: false },
        };
        for listener in &sockets.listeners {
            tracing::info!(address = %listener, inherited = sockets.inherited, "listening");
        }
        Ok(sockets)
    }
}

/// Those with the name, and the others.
fn apart(inherited: Vec<Inherited>, name: &str) -> (Vec<Listener>, Vec<Inherited>) {
    let (named, others): (Vec<_>, Vec<_>) =
        inherited.into_iter().partition(|socket| socket.name.as_deref() == Some(name));
    (named.into_iter().map(|socket| socket.listener).collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_of_a_name_are_kept_apart() {
        let mut inherited = Vec::new();
        for name in [Some("status"), Some("web"), None, Some("status")] {
            let listener = listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap().remove(0);
            inherited.push(Inherited { listener, name: name.map(str::to_owned) });
        }
        let (status, service) = apart(inherited, "status");
        assert_eq!(status.len(), 2);
        let names: Vec<_> = service.iter().map(|socket| socket.name.as_deref()).collect();
        assert_eq!(names, [Some("web"), None]);
        let sockets = Sockets::these_or(service, &"127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert!(sockets.inherited && sockets.listeners.len() == 2);
        let sockets = Sockets::these_or(Vec::new(), &"127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert!(!sockets.inherited && sockets.listeners.len() == 1);
    }
}
