//! The rules as files alone say them: for `check` and `explain`, which fetch nothing.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use https::jwks::JwksCopy;
use token::{JwkSet, Key, KeySet, Origin};

use super::draft::{Draft, KeyFact};
use super::plan::Plan;
use super::{RulesOptions, check_state_dir, warnings};
use crate::Ruleset;
use crate::file::{File, Published};

/// The rules, and what is known of their keys.
#[derive(Debug)]
pub struct Loaded {
    /// What decides
    pub ruleset: Ruleset,
    /// What an operator should look at
    pub warnings: Vec<String>,
    /// In the order of the file
    pub services: Vec<ServiceFacts>,
}

/// What a [`crate::Service`] does not tell.
#[derive(Debug)]
pub struct ServiceFacts {
    /// Its id
    pub id: String,
    /// Its keys: those of files, then those of the copy of its JWK set
    pub keys: Vec<KeyFact>,
    /// Its JWK set, if it has one that is fetched
    pub jwks: Option<JwksFact>,
}

/// A JWK set that is fetched, and was not.
#[derive(Debug)]
pub struct JwksFact {
    /// Where it is published, without the query
    pub url: String,
    /// How often it is fetched; `None`: as its publisher says
    pub refresh: Option<Duration>,
    /// How old its keys may become; `None`: any age
    pub max_stale: Option<Duration>,
    /// The copy in the state directory
    pub copy: Option<CopyFact>,
}

/// The copy of a JWK set.
#[derive(Clone, Copy, Debug)]
pub struct CopyFact {
    /// How many keys it has
    pub keys: usize,
    /// For how long nobody has seen it published
    pub age: Duration,
}

/// Reads all files and fetches nothing: of a set that is published the copy in `state_dir` counts, if there is
/// one. It blocks for as long as that takes, and needs no runtime.
///
/// # Errors
/// The first thing wrong in one of the files. A copy is not one of them.
pub fn load(options: &RulesOptions) -> Result<Loaded> {
    check_state_dir(options)?;
    let plan = Plan::read(File::load(&options.conf)?, options)?;
    let mut warnings = warnings::of(&plan, SystemTime::now());
    warnings.extend(warnings::of_nginx(&plan));
    let mut services = Vec::new();
    let ruleset = plan.ruleset(|draft| {
        let mut facts = ServiceFacts { id: draft.id.clone(), keys: draft.keys.clone(), jwks: None };
        let keys = match &draft.published {
            None => draft.alone(),
            Some(published) => with_copy(&plan, draft, published, &mut facts, &mut warnings),
        };
        services.push(facts);
        (keys, None)
    });
    Ok(Loaded { ruleset, warnings, services })
}

fn with_copy(
    plan: &Plan,
    draft: &Draft,
    published: &Published,
    facts: &mut ServiceFacts,
    warnings: &mut Vec<String>,
) -> KeySet {
    let Published { url, refresh, max_stale, .. } = published;
    let copy = plan.prepared.iter().find(|prepared| prepared.published == *published);
    let copy = copy.and_then(|prepared| prepared.copy.as_ref());
    let found = copy.map_or(Ok(None), |copy| read(copy, *max_stale, draft)).unwrap_or_else(|error| {
        warnings.push(format!("{}: jwks: the copy is not used: {error:#}", draft.place));
        None
    });
    let fact = |copy| Some(JwksFact { url: url.to_string(), refresh: *refresh, max_stale: *max_stale, copy });
    let Some((fetched, set, age)) = found else {
        facts.jwks = fact(None);
        if draft.keys.is_empty() {
            let what = "its only keys are published, and were not looked at";
            warnings.push(format!(
                "{}: jwks: {what}; until they are fetched its tokens are refused",
                draft.place
            ));
        }
        return draft.alone();
    };
    facts.jwks = fact(Some(CopyFact { keys: fetched.len(), age }));
    facts.keys.extend(fetched.into_iter().map(|key| KeyFact { from: "jwks, copy".to_owned(), key }));
    set
}

/// The keys of the copy, alone and with the service's own.
fn read(
    copy: &JwksCopy,
    max_stale: Option<Duration>,
    draft: &Draft,
) -> Result<Option<(Vec<Key>, KeySet, Duration)>> {
    let Some(kept) = copy.read()? else { return Ok(None) };
    if max_stale.is_some_and(|max| kept.age >= max) {
        return Ok(None);
    }
    let keys = JwkSet::parse(&kept.bytes, Origin::Fetched)?.keys().to_vec();
    let set = draft.with(&KeySet::published(keys.clone(), draft.max_tried)?)?;
    Ok(Some((keys, set, kept.age)))
}
