//! When keys end.

use std::time::SystemTime;

use crate::Ruleset;

/// When the first key of all that still count at `now` ends; `None`: none of them does.
pub fn first_expiry(rules: &Ruleset, now: SystemTime) -> Option<SystemTime> {
    let keys = rules.services.values().flat_map(|service| service.keys.keys());
    keys.filter_map(|key| key.not_after).filter(|end| *end >= now).min()
}
