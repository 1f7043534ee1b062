//! Counts of bytes that grow while the bytes are carried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bytes that all connections which share this meter have carried, each way. Clones are the same meter.
///
/// It is for throughput: [`Ended`](crate::Ended) tells of a connection only when it is over.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    up: Count,
    down: Count,
}

/// A count, and the one that it is a part of.
#[derive(Clone, Debug, Default)]
struct Count {
    own: Arc<AtomicU64>,
    whole: Option<Arc<AtomicU64>>,
}

impl Meter {
    /// A meter of what is also counted by this one: of one connection among all.
    pub fn part(&self) -> Self {
        Self { up: self.up.part(), down: self.down.part() }
    }

    /// Payload bytes carried from clients to backends.
    pub fn up(&self) -> u64 {
        self.up.own.load(Relaxed)
    }

    /// Payload bytes carried from backends to clients.
    pub fn down(&self) -> u64 {
        self.down.own.load(Relaxed)
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

impl Count {
    /// A part of a part is one of the first whole alone: nobody needs more.
    fn part(&self) -> Self {
        let whole = self.whole.as_ref().unwrap_or(&self.own);
        Self { own: Arc::default(), whole: Some(whole.clone()) }
    }

    fn add(&self, bytes: u64) {
        self.own.fetch_add(bytes, Relaxed);
        if let Some(whole) = &self.whole {
            whole.fetch_add(bytes, Relaxed);
        }
    }
}

/// What one direction of one connection has carried, and its part of a [`Meter`].
#[derive(Debug, Default)]
pub struct Moved {
    own: u64,
    all: Count,
}

impl Moved {
    /// `bytes` more were written: a relaxed addition or two beside the connection's own.
    pub fn add(&mut self, bytes: usize) {
        self.own += bytes as u64;
        self.all.add(bytes as u64);
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

    #[test]
    fn a_part_counts_for_itself_and_for_the_whole() {
        let whole = Meter::default();
        let parts = [whole.part(), whole.part()];
        parts[0].count_up().add(3);
        parts[1].count_up().add(4);
        parts[1].count_down().add(5);
        assert_eq!(parts.each_ref().map(|part| (part.up(), part.down())), [(3, 0), (4, 5)]);
        assert_eq!((whole.up(), whole.down()), (7, 5));
    }
}
