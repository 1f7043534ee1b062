//! What is known of the rules in force, beside what a decision needs: for metrics and the status.

use std::time::SystemTime;

use https::jwks::JwksCache;

use super::draft::Draft;
use super::plan::Plan;
use crate::Ruleset;

/// Made once for each ruleset, so that nobody who asks walks through all keys.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// SHA-256 of the configuration file, without the files that it names
    pub configuration: [u8; 32],
    /// How many services there are
    pub services: usize,
    /// How many keys they have, whether or not these count now
    pub keys: usize,
    /// How many tokens the cache has room for
    pub cache_size: usize,
    /// The JWK sets that are fetched, in the order of the file
    pub sets: Vec<SetFact>,
    /// When keys begin to count, those that say so, sorted
    starts: Vec<SystemTime>,
    /// When keys end, those that say so, sorted
    ends: Vec<SystemTime>,
}

/// A JWK set that is fetched.
#[derive(Clone, Debug)]
pub struct SetFact {
    /// Where it is published, without the query
    pub url: String,
    /// The first service that has it
    pub service: String,
    /// How many services have it
    pub services: usize,
    /// The set itself
    pub cache: JwksCache,
}

impl Facts {
    pub(super) fn of<'a>(
        plan: &Plan,
        ruleset: &Ruleset,
        cache: impl Fn(&Draft) -> Option<&'a JwksCache>,
    ) -> Self {
        let keys = || ruleset.services.values().flat_map(|service| service.keys.keys());
        let sorted = |mut times: Vec<SystemTime>| {
            times.sort_unstable();
            times
        };
        Self {
            configuration: plan.file.source.digest(),
            services: ruleset.services.len(),
            keys: keys().count(),
            cache_size: plan.options.cache_size,
            sets: sets(plan, cache),
            starts: sorted(keys().filter_map(|key| key.not_before).collect()),
            ends: sorted(keys().filter_map(|key| key.not_after).collect()),
        }
    }

    /// When the first key of all that still count at `now` ends; `None`: none of them does.
    pub fn first_end(&self, now: SystemTime) -> Option<SystemTime> {
        self.ends.get(self.ended(now)).copied()
    }

    /// How many keys do not count at `now`: no longer, or not yet.
    pub fn inactive(&self, now: SystemTime) -> usize {
        self.ended(now) + self.starts.len() - self.starts.partition_point(|start| *start <= now)
    }

    fn ended(&self, now: SystemTime) -> usize {
        self.ends.partition_point(|end| *end < now)
    }
}

fn sets<'a>(plan: &Plan, cache: impl Fn(&Draft) -> Option<&'a JwksCache>) -> Vec<SetFact> {
    let of = |published| plan.drafts.iter().filter(move |draft| draft.published.as_ref() == Some(published));
    let set = plan.prepared.iter().filter_map(|prepared| {
        let (published, first) = (&prepared.published, of(&prepared.published).next()?);
        Some(SetFact {
            url: published.url.to_string(),
            service: first.id.clone(),
            services: of(published).count(),
            cache: cache(first)?.clone(),
        })
    });
    set.collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn keys_begin_and_end() {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let (starts, ends) = (vec![at(5), at(20)], vec![at(10), at(30), at(30)]);
        let facts = Facts { starts, ends, ..Facts::default() };
        for (now, inactive, first_end) in [
            (0, 2, Some(10)),
            (5, 1, Some(10)),
            (10, 1, Some(10)),
            (11, 2, Some(30)),
            (20, 1, Some(30)),
            (30, 1, Some(30)),
            (31, 3, None),
        ] {
            let told = (facts.inactive(at(now)), facts.first_end(at(now)));
            assert_eq!(told, (inactive, first_end.map(at)), "{now}");
        }
    }
}
