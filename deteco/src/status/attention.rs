//! What an administrator should look at, in sentences that stay the same while the reason does: a check that
//! changes its words is told again each minute.

use std::time::{Duration, SystemTime};

use daemon::log::utc;

use crate::rules::SetFact;
use crate::{Ruleset, Service};

/// How long before its end a key is told.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// More of a kind are counted, and not told one by one.
const MOST: usize = 5;

/// The deny list's file cannot be used.
pub(super) const STALE_DENY_LIST: &str =
    "the deny list is not reloaded, see the log: the one in force is older than its file";

/// Keys that end within 14 days, the first one first.
pub(super) fn ending(rules: &Ruleset, now: SystemTime) -> Vec<String> {
    let soon = |end: &SystemTime| end.duration_since(now).is_ok_and(|left| left <= SOON);
    let mut ending: Vec<(SystemTime, &str)> = Vec::new();
    for service in rules.services.values() {
        let ends = service.keys.keys().iter().filter_map(|key| key.not_after).filter(soon);
        ending.extend(ends.map(|end| (end, service.id.as_str())));
    }
    ending.sort_unstable();
    let told = ending.iter().map(|(end, id)| format!("a key of {id:?} ends on {}: replace it", utc(*end)));
    first(told, "keys that end within 14 days")
}

/// Services whose every token is refused.
pub(super) fn keyless(rules: &Ruleset, now: SystemTime) -> Vec<String> {
    let has_key = |service: &Service| service.keys.keys().iter().any(|key| key.is_valid_at(now));
    let services = rules.services.values().filter(|service| !has_key(service));
    let mut ids: Vec<&str> = services.map(|service| service.id.as_str()).collect();
    ids.sort_unstable();
    let told = ids.iter().map(|id| format!("{id:?} has no key that counts now: its tokens are refused"));
    first(told, "services without a key that counts")
}

/// JWK sets whose last fetch failed.
pub(super) fn failing<'a>(sets: impl Iterator<Item = &'a SetFact>) -> Vec<String> {
    let told = sets.map(|set| {
        let (url, service) = (&set.url, &set.service);
        format!("the JWK set of {service:?} cannot be fetched from {url}, see the log")
    });
    first(told, "JWK sets that cannot be fetched")
}

fn first(told: impl Iterator<Item = String>, what: &str) -> Vec<String> {
    let mut all: Vec<String> = told.collect();
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        all.truncate(MOST);
        all.push(format!("and {more} more {what}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use token::{Key, KeySet};

    use super::*;
    use crate::test;

    const DAY: u64 = 86_400;

    /// A service for each name, with keys that begin and end at these days.
    fn rules(services: &[(&str, &[(u64, u64)])]) -> Ruleset {
        let day = |day: u64| Some(UNIX_EPOCH + Duration::from_secs(day * DAY));
        let public = test::identity(1, 2).service.keys.keys()[0].public.clone();
        let mut rules = test::ruleset();
        for (id, terms) in services {
            let key = |(from, to): &(u64, u64)| Key {
                not_before: day(*from),
                not_after: day(*to),
                ..public.clone().into()
            };
            let keys = KeySet::new(terms.iter().map(key).collect()).unwrap();
            let service = test::service(id, keys);
            rules.services.insert(service.id.clone(), Arc::new(service));
        }
        rules
    }

    #[test]
    fn keys_are_told_a_fortnight_before_their_end_and_by_their_day() {
        let told = |day: u64, services: &[(&str, &[(u64, u64)])]| {
            ending(&rules(services), UNIX_EPOCH + Duration::from_secs(day * DAY))
        };
        assert_eq!(told(100, &[("a", &[(0, 115)]), ("b", &[(0, 99)])]), Vec::<String>::new());
        let two = told(100, &[("b", &[(0, 114)]), ("a", &[(0, 101), (0, 200)])]);
        assert_eq!(
            two,
            [
                "a key of \"a\" ends on 1970-04-12T00:00:00.000Z: replace it",
                "a key of \"b\" ends on 1970-04-25T00:00:00.000Z: replace it",
            ]
        );
        assert_eq!(told(101, &[("b", &[(0, 114)])]), two[1..], "the same words on another day");
        let many = told(100, &[("a", &[(0, 101); 7])]);
        assert_eq!((many.len(), many[5].as_str()), (6, "and 2 more keys that end within 14 days"));
    }

    #[test]
    fn a_service_without_a_key_that_counts_is_critical() {
        let now = UNIX_EPOCH + Duration::from_secs(100 * DAY);
        for (terms, is_told) in [
            (&[(0, 200)][..], false),
            (&[(0, 50), (99, 101)], false),
            (&[(0, 99)], true),
            (&[(101, 200)], true),
            (&[], true),
        ] {
            let told = keyless(&rules(&[("a", terms), ("good", &[(0, 200)])]), now);
            let expected = ["\"a\" has no key that counts now: its tokens are refused"];
            assert_eq!(told, if is_told { &expected[..] } else { &[] }, "{terms:?}");
        }
    }
}
