//! When connections are cut by themselves, and the chance in it.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::How;
use crate::pattern::Pattern;

/// Sets the chance of a run that failed again.
pub(super) const SEED: &str = "WSGATE_E2E_SEED";

/// What cuts connections, and what makes them slow.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// After so many bytes, both directions together: whichever is carrying then. How is left to chance.
    pub after: Option<Range<u64>>,
    /// At this age, with FIN, whatever it carries.
    pub age: Option<Duration>,
    /// Not more cuts than these, by bytes.
    pub most: usize,
    /// Bytes a second, of each direction, of all connections together.
    pub rate: Option<u64>,
}

impl Plan {
    /// So many cuts, each after so many bytes of a connection.
    pub fn of_cuts(most: usize, after: Range<u64>) -> Plan {
        Plan { after: Some(after), most, ..Plan::default() }
    }
}

/// Another one each time, unless the environment says which.
pub(super) fn seed() -> u64 {
    let told = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    told.unwrap_or_else(|| u64::from(now()))
}

/// What chance decides.
#[derive(Debug)]
pub(super) struct Dice(Pattern);

/// After how many bytes of a connection, and how it is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) at: u64,
    pub(super) how: How,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Pattern::new(seed))
    }

    pub(super) fn fate(&mut self, after: &Range<u64>) -> Fate {
        let at = after.start + self.below(after.end - after.start);
        let how = if self.below(2) == 0 { How::Reset } else { How::Close };
        Fate { at, how }
    }

    fn below(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit
    }
}
