//! What is known anyway, and read when somebody asks.

use std::time::SystemTime;

use daemon::reload::Snapshot;
use https::jwks::JwksState;
use monitor::{Counter, Family, Reading};

use super::Metrics;
use crate::Ruleset;
use crate::rules::{Facts, Upkeep};

impl Metrics {
    /// From now on the readings are those of these rules.
    pub(crate) fn read_from(&self, upkeep: &Upkeep, rules: Snapshot<Ruleset>) {
        self.cached.read_from(move || count(rules.load().cache.len()));
        self.read_facts(&upkeep.facts);
        self.read_sets(&upkeep.facts);
        let reloads = upkeep.reloads.clone();
        self.reload_ok.read_from(move || yes_or_no(!reloads.is_stale()));
        let deny_list = upkeep.deny_list.clone();
        self.deny_list_ok.read_from(move || yes_or_no(!deny_list.is_stale()));
        let (good, bad) = (upkeep.reloads.clone(), upkeep.reloads.clone());
        outcomes(&self.reloads, move || good.succeeded(), move || bad.failed());
        let (good, bad) = (upkeep.fetches.clone(), upkeep.fetches.clone());
        outcomes(&self.fetches, move || good.succeeded(), move || bad.failed());
    }

    fn read_facts(&self, facts: &Snapshot<Facts>) {
        read(&self.services, facts, |facts| count(facts.services));
        read(&self.keys, facts, |facts| count(facts.keys));
        read(&self.inactive, facts, |facts| count(facts.inactive(SystemTime::now())));
        read(&self.first_end, facts, |facts| {
            let now = SystemTime::now();
            Some(facts.first_end(now)?.duration_since(now).unwrap_or_default().as_secs_f64())
        });
    }

    fn read_sets(&self, facts: &Snapshot<Facts>) {
        read(&self.sets, facts, |facts| count(facts.sets.len()));
        let number = |facts: &Facts, is: fn(&JwksState) -> bool| {
            count(facts.sets.iter().filter(|set| is(&set.cache.state())).count())
        };
        read(&self.sets_failing, facts, move |facts| number(facts, |state| state.last_error.is_some()));
        read(&self.sets_without_keys, facts, move |facts| {
            number(facts, |state| state.keys.is_none_or(|keys| keys == 0))
        });
        read(&self.sets_age, facts, |facts| {
            let ages = facts.sets.iter().filter_map(|set| set.cache.state().age);
            Some(ages.max()?.as_secs_f64())
        });
    }
}

fn read(
    reading: &Reading,
    facts: &Snapshot<Facts>,
    of: impl Fn(&Facts) -> Option<f64> + Send + Sync + 'static,
) {
    let facts = facts.clone();
    reading.read_from(move || of(&facts.load()));
}

fn outcomes(
    family: &Family<Counter>,
    succeeded: impl Fn() -> u64 + Send + Sync + 'static,
    failed: impl Fn() -> u64 + Send + Sync + 'static,
) {
    family.with("succeeded").read_from(succeeded);
    family.with("failed").read_from(failed);
}

#[allow(clippy::cast_precision_loss, clippy::unnecessary_wraps)] // 2^53 of anything is not reached
fn count(number: usize) -> Option<f64> {
    Some(number as f64)
}

fn yes_or_no(yes: bool) -> Option<f64> {
    count(usize::from(yes))
}
