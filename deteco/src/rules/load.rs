//! The rules as files alone say them: for `check` and `explain`, which fetch nothing.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use https::jwks::Kept;
use token::{JwkSet, Key, KeySet, Origin};

use super::draft::{Draft, KeyFact};
use super::plan::Plan;
use super::{RulesOptions, check_state_dir, warnings};
use crate::Ruleset;
use crate::file::File;

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
        let mut facts = ServiceFacts::of(draft);
        let copied = Copied::read(&plan, draft);
        warnings.extend(odd(draft, &copied).into_iter().map(|what| format!("{}: jwks: {what}", draft.place)));
        let keys = match copied {
            Ok(Some(copied)) => facts.add(copied),
            _ => draft.alone(),
        };
        services.push(facts);
        (keys, None)
    });
    Ok(Loaded { ruleset, warnings, services })
}

/// The keys of a copy.
struct Copied {
    set: JwkSet,
    age: Duration,
    /// Together with the service's own
    keys: KeySet,
}

impl Copied {
    /// `None` if there is no copy, or one that is too old.
    fn read(plan: &Plan, draft: &Draft) -> Result<Option<Self>> {
        let Some(published) = &draft.published else { return Ok(None) };
        let prepared = plan.prepared.iter().find(|prepared| prepared.published == *published);
        let Some(copy) = prepared.and_then(|prepared| prepared.copy.as_ref()) else { return Ok(None) };
        let fresh = |age| published.max_stale.is_none_or(|max| age < max);
        let Some(Kept { bytes, age }) = copy.read()?.filter(|kept| fresh(kept.age)) else { return Ok(None) };
        let set = JwkSet::parse(&bytes, Origin::Fetched)?;
        let keys = draft.with(&KeySet::published(set.keys().to_vec(), draft.max_tried)?)?;
        Ok(Some(Copied { set, age, keys }))
    }
}

fn odd(draft: &Draft, copied: &Result<Option<Copied>>) -> Vec<String> {
    match copied {
        Err(error) => vec![format!("the copy is not used: {error:#}")],
        Ok(Some(copied)) => copied.set.skipped().iter().map(|key| format!("of the copy, {key}")).collect(),
        Ok(None) if draft.published.is_some() && draft.keys.is_empty() => vec![ONLY_PUBLISHED.to_owned()],
        Ok(None) => Vec::new(),
    }
}

const ONLY_PUBLISHED: &str =
    "its only keys are published, and were not looked at; until they are fetched its tokens are refused";

impl ServiceFacts {
    fn of(draft: &Draft) -> Self {
        let jwks = draft.published.as_ref().map(|published| JwksFact {
            url: published.url.to_string(),
            refresh: published.refresh,
            max_stale: published.max_stale,
            copy: None,
        });
        ServiceFacts { id: draft.id.clone(), keys: draft.keys.clone(), jwks }
    }

    /// All keys of the service.
    fn add(&mut self, Copied { set, age, keys }: Copied) -> KeySet {
        let fact = |key: &Key| KeyFact { from: "jwks, copy".to_owned(), key: key.clone() };
        self.keys.extend(set.keys().iter().map(fact));
        if let Some(jwks) = &mut self.jwks {
            jwks.copy = Some(CopyFact { keys: set.keys().len(), age });
        }
        keys
    }
}
