//! Keeping the rules up to date.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result};
use daemon::reload::{Counts, Paths, Snapshot, Watch};
use https::jwks::{FetchCounts, JwksCache};
use token::KeySet;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::denied::DenyListState;
use super::draft::Draft;
use super::facts::Facts;
use super::plan::Plan;
use super::sets::Sets;
use super::{RulesOptions, warnings, watched};
use crate::Ruleset;
use crate::file::{File, Published};

/// What replaces the rules: to be run as long as they decide.
#[derive(Debug)]
pub struct Keeper {
    watch: Watch,
    shared: Shared,
    changed: Arc<Notify>,
    upkeep: Upkeep,
}

/// How the rules are kept up to date, for metrics and the status.
#[derive(Clone, Debug)]
pub struct Upkeep {
    /// How reloads went
    pub reloads: Arc<Counts>,
    /// Whether the deny list is the one of its file
    pub deny_list: Arc<DenyListState>,
    /// How fetches of JWK sets went
    pub fetches: Arc<FetchCounts>,
    /// What is in force
    pub facts: Snapshot<Facts>,
}

/// What reloads and changes of keys have in common. All of it is done on threads that may block.
#[derive(Debug)]
struct Shared {
    options: RulesOptions,
    paths: Paths,
    facts: Snapshot<Facts>,
    state: Mutex<State>,
}

/// What is in force.
#[derive(Debug)]
struct State {
    plan: Plan,
    sets: Sets,
    /// By service: the set's keys that are in force, and where they come from.
    adopted: HashMap<String, (Published, Arc<KeySet>)>,
    /// What has been told already.
    warned: Vec<String>,
}

impl Keeper {
    /// With the first ruleset. Inside a tokio runtime.
    pub(super) fn start(
        watch: Watch,
        options: RulesOptions,
        plan: Plan,
        warned: &[String],
    ) -> (Self, Ruleset) {
        let changed = Arc::new(Notify::new());
        let mut sets = Sets::new(changed.clone());
        sets.adopt(&plan.prepared);
        let (deny_list, fetches) = (plan.denied.state(), sets.counts.clone());
        let mut state = State { plan, sets, adopted: HashMap::new(), warned: warned.to_vec() };
        let ruleset = state.ruleset();
        let facts = Snapshot::new(state.facts(&ruleset));
        let upkeep = Upkeep { reloads: watch.counts(), deny_list, fetches, facts: facts.clone() };
        let shared = Shared { options, paths: watch.paths(), facts, state: Mutex::new(state) };
        (Keeper { watch, shared, changed, upkeep }, ruleset)
    }

    /// Replaces `now` at every reload and whenever the keys of a JWK set have changed, until `stop`. Then
    /// nothing is fetched any more.
    pub async fn run(self, now: Snapshot<Ruleset>, stop: CancellationToken) {
        let Keeper { watch, shared, changed, .. } = self;
        let shared = Arc::new(shared);
        let files = watch.run(stop.clone(), || reload(shared.clone(), now.clone()));
        let sets = stop.run_until_cancelled(follow(changed, shared.clone(), now.clone()));
        tokio::join!(files, sets);
    }

    /// How that goes; to be asked for before it runs.
    pub fn upkeep(&self) -> Upkeep {
        self.upkeep.clone()
    }
}

async fn reload(shared: Arc<Shared>, now: Snapshot<Ruleset>) -> Result<()> {
    spawn_blocking(move || shared.reload(&now)).await?
}

async fn follow(changed: Arc<Notify>, shared: Arc<Shared>, now: Snapshot<Ruleset>) {
    loop {
        changed.notified().await;
        let (shared, now) = (shared.clone(), now.clone());
        // It fails when the runtime is going away.
        let _ = spawn_blocking(move || shared.rekey(&now)).await;
    }
}

impl Shared {
    /// Whoever is to be denied is, also while the rest of the configuration is bad.
    fn reload(&self, now: &Snapshot<Ruleset>) -> Result<()> {
        self.reload_all(now).inspect_err(|_| {
            let mut state = self.lock();
            state.plan.denied = state.plan.denied.reread(&state.plan.file);
            self.swap(&mut state, now);
        })
    }

    fn reload_all(&self, now: &Snapshot<Ruleset>) -> Result<()> {
        let file = File::load(&self.options.conf)?;
        self.paths.replace(watched(&self.options, &file));
        let denied = self.lock().plan.denied.clone();
        let plan = Plan::reread(file, &self.options, &denied)?;
        let mut state = self.lock();
        state.check(&plan)?;
        let told = warnings::of(&plan, SystemTime::now());
        for warning in told.iter().filter(|warning| !state.warned.contains(warning)) {
            tracing::warn!("{warning}");
        }
        state.warned = told;
        state.sets.adopt(&plan.prepared);
        state.plan = plan;
        self.swap(&mut state, now);
        Ok(())
    }

    /// The keys of a JWK set have changed.
    fn rekey(&self, now: &Snapshot<Ruleset>) {
        self.swap(&mut self.lock(), now);
    }

    fn swap(&self, state: &mut State, now: &Snapshot<Ruleset>) {
        let ruleset = state.ruleset();
        self.facts.store(state.facts(&ruleset));
        now.store(ruleset);
    }

    /// Held on threads that may block, and never across an await.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the keys of a new plan go together with those of the sets in force.
    fn check(&self, plan: &Plan) -> Result<()> {
        for draft in &plan.drafts {
            if let Some(adopted) = self.adopted(draft) {
                draft
                    .with(adopted)
                    .with_context(|| format!("{}: with the keys of its JWK set", draft.place))?;
            }
        }
        Ok(())
    }

    fn adopted(&self, draft: &Draft) -> Option<&Arc<KeySet>> {
        let (published, keys) = self.adopted.get(&draft.id)?;
        draft.published.as_ref().is_some_and(|own| own.is_of(published)).then_some(keys)
    }

    fn ruleset(&mut self) -> Ruleset {
        let mut adopted = HashMap::new();
        let ruleset = self.plan.ruleset(|draft| {
            let cache = self.sets.of(draft);
            let (keys, taken) = self.keys(draft, cache);
            if let (Some(taken), Some(published)) = (taken, &draft.published) {
                adopted.insert(draft.id.clone(), (published.clone(), taken));
            }
            (keys, cache.cloned())
        });
        self.adopted = adopted;
        ruleset
    }

    fn facts(&self, ruleset: &Ruleset) -> Facts {
        Facts::of(&self.plan, ruleset, |draft| self.sets.of(draft))
    }

    /// The keys of a service, and which of its JWK set are among them. If those of now are too many with its
    /// own, the ones before stay: nobody here can mend what is published.
    fn keys(&self, draft: &Draft, cache: Option<&JwksCache>) -> (KeySet, Option<Arc<KeySet>>) {
        let Some(fetched) = cache.and_then(JwksCache::keys) else { return (draft.alone(), None) };
        let error = match draft.with(&fetched) {
            Ok(keys) => return (keys, Some(fetched)),
            Err(error) => error,
        };
        let service = &draft.id;
        tracing::error!(service, %error, "the keys of the JWK set cannot be used, the old ones stay");
        let before = self.adopted(draft).and_then(|before| Some((draft.with(before).ok()?, before.clone())));
        before.map_or_else(|| (draft.alone(), None), |(keys, before)| (keys, Some(before)))
    }
}

#[cfg(test)]
mod tests;
