//! How sessions ended, for clients that do not know it yet.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tunnel::session_id::SessionHash;

/// As many ends are remembered at once.
const MOST: usize = 10_000;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// Both streams were delivered whole.
    Finished,
    /// Abruptly, by one of its ends or by a limit.
    Reset,
    /// It waited for its client for as long as it could.
    Gone,
}

impl End {
    /// The word in `Wsgate-Refusal`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Reset => "reset",
            Self::Gone => "gone",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Tombstones {
    by_hash: HashMap<SessionHash, (End, Instant)>,
    in_order: VecDeque<SessionHash>,
}

impl Tombstones {
    /// Remembers an end for so long, and forgets the oldest if there are too many.
    pub(super) fn set(&mut self, hash: SessionHash, end: End, time: Duration, now: Instant) {
        let over = |(_, until): &(End, Instant)| *until <= now;
        while let Some(oldest) = self.in_order.front()
            && (self.in_order.len() >= MOST || self.by_hash.get(oldest).is_none_or(over))
        {
            self.by_hash.remove(oldest);
            self.in_order.pop_front();
        }
        let Some(until) = now.checked_add(time) else { return };
        self.by_hash.insert(hash, (end, until));
        self.in_order.push_back(hash);
    }

    pub(super) fn get(&self, hash: SessionHash, now: Instant) -> Option<End> {
        self.by_hash.get(&hash).filter(|(_, until)| now < *until).map(|(end, _)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> SessionHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        SessionHash(bytes)
    }

    #[test]
    fn an_end_is_remembered_for_its_time() {
        let (mut tombstones, now, second) = (Tombstones::default(), Instant::now(), Duration::from_secs(1));
        tombstones.set(hash(1), End::Finished, second, now);
        tombstones.set(hash(2), End::Reset, 3 * second, now);
        assert_eq!(tombstones.get(hash(1), now), Some(End::Finished));
        assert_eq!(tombstones.get(hash(1), now + second), None);
        assert_eq!(tombstones.get(hash(2), now + second), Some(End::Reset));
        assert_eq!(tombstones.get(hash(3), now), None);
        tombstones.set(hash(3), End::Gone, second, now + second);
        assert_eq!(tombstones.by_hash.len(), 2, "what is over is dropped");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (mut tombstones, now) = (Tombstones::default(), Instant::now());
        for number in 0..MOST + 10 {
            tombstones.set(hash(number), End::Gone, Duration::from_secs(60), now);
        }
        assert_eq!((tombstones.by_hash.len(), tombstones.in_order.len()), (MOST, MOST));
        assert_eq!((tombstones.get(hash(9), now), tombstones.get(hash(10), now)), (None, Some(End::Gone)));
    }
}
