//! The snapshot by which a connection finds its container.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use relay::Address;
use tokio_util::sync::CancellationToken;

use crate::address::Path;
use crate::fleet::Key;

/// Where the connections of each listener go. The key is the rule's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Routes(pub(crate) BTreeMap<String, Vec<Candidate>>);

impl Routes {
    /// The candidates of a listener, the first choice first.
    pub(crate) fn at(&self, place: &str) -> &[Candidate] {
        self.0.get(place).map_or(&[], Vec::as_slice)
    }
}

/// A port of a container that may be dialled.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The container's id.
    pub(crate) id: String,
    /// The container's name.
    pub(crate) name: String,
    pub(crate) port: u16,
    /// The backend's, so that a report about it does not hit its successor.
    pub(crate) epoch: u64,
    pub(crate) address: SocketAddr,
    pub(crate) path: Path,
    /// How long its connections may go on when we are told to stop.
    pub(crate) drain: Duration,
    pub(crate) open: Arc<Open>,
}

impl PartialEq for Candidate {
    /// Whether it makes no difference which of both is dialled.
    fn eq(&self, other: &Self) -> bool {
        (self.epoch, self.address, &self.name, self.drain)
            == (other.epoch, other.address, &other.name, other.drain)
    }
}

impl Candidate {
    /// The backend that it is.
    pub(crate) fn key(&self) -> Key {
        Key { id: self.id.clone(), port: self.port, epoch: self.epoch }
    }

    /// In the form that is dialled.
    pub(crate) fn target(&self) -> Address {
        Address::Tcp { host: self.address.ip().to_string(), port: self.address.port() }
    }
}

/// What connections to a container share with those who watch it.
#[derive(Debug, Default)]
pub(crate) struct Open {
    connections: Arc<AtomicUsize>,
    /// The container, or an address of it, is gone: who still dials it gives up.
    pub(crate) gone: CancellationToken,
    /// It runs no more: what it sent has been sent.
    pub(crate) ended: CancellationToken,
}

impl Open {
    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// For the same container at other addresses.
    pub(crate) fn moved(&self) -> Self {
        let (connections, ended) = (self.connections.clone(), self.ended.clone());
        Self { connections, ended, gone: CancellationToken::new() }
    }

    /// One more, until the value is dropped.
    pub(crate) fn one_more(self: &Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Open>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
