//! Counts of bytes that grow while the bytes are carried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bytes that all connections which share this meter have carried, each way. Clones are the same meter.
///
/// It is for throughput: [`Ended`](crate::Ended) tells of a connection only when it is over.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Meter {
    /// Payload bytes carried from clients to backends.
    pub fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Payload bytes carried from backends to clients.
    pub fn down(&self) -> u64 {
        self.down.load(Relaxed)
    }

    /// The count of a connection's way up.
    pub fn count_up(&self) -> Moved {
        Moved { own: 0, all: self.up.clone() }
    }

    /// The count of a connection's way down.
    pub fn count_down(&self) -> Moved {
        Moved { own: 0, all: self.down.clone() }
    }
}

/// What one direction of one connection has carried, and its part of a [`Meter`].
#[derive(Debug, Default)]
pub struct Moved {
    own: u64,
    all: Arc<AtomicU64>,
}

impl Moved {
    /// `bytes` more were written: one relaxed addition beside the connection's own.
    pub fn add(&mut self, bytes: usize) {
        self.own += bytes as u64;
        self.all.fetch_add(bytes as u64, Relaxed);
    }

    /// Of this connection, in bytes.
    pub fn own(&self) -> u64 {
        self.own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_share_a_meter_add_up() {
        let meter = Meter::default();
        let (mut one, mut other, mut back) = (meter.count_up(), meter.clone().count_up(), meter.count_down());
        one.add(3);
        other.add(4);
        back.add(100);
        drop(other);
        assert_eq!((one.own(), back.own(), meter.up(), meter.down()), (3, 100, 7, 100));
    }
}
