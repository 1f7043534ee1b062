//! What the files say, as a whole.

use std::collections::HashMap;

use anyhow::Result;
use https::jwks::JwksCache;
use token::KeySet;

use super::RulesOptions;
use super::denied::Denied;
use super::draft::Draft;
use super::sets::Prepared;
use crate::file::File;
use crate::{Cache, Ruleset};

/// Everything but what is fetched; a [`Ruleset`] is made from it each time that the latter changes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) file: File,
    /// In the order of the file.
    pub(super) drafts: Vec<Draft>,
    pub(super) denied: Denied,
    /// What the sets that are published need; each once.
    pub(super) prepared: Vec<Prepared>,
    pub(super) options: RulesOptions,
}

impl Plan {
    /// Reads what `file` names.
    ///
    /// # Errors
    /// The first thing wrong in one of the files.
    pub(super) fn read(file: File, options: &RulesOptions) -> Result<Self> {
        let denied = Denied::read(&file)?;
        Self::with(file, options, denied)
    }

    /// The same after a reload, with what was denied.
    ///
    /// # Errors
    /// The first thing wrong in one of the files but the deny list.
    pub(super) fn reread(file: File, options: &RulesOptions, denied: &Denied) -> Result<Self> {
        let mut plan = Self::with(file, options, Denied::default())?;
        plan.denied = denied.reread(&plan.file);
        Ok(plan)
    }

    fn with(file: File, options: &RulesOptions, denied: Denied) -> Result<Self> {
        let services = file.services.iter().enumerate();
        let drafts = services.map(|(index, service)| Draft::read(&file, index, service));
        let drafts: Vec<Draft> = drafts.collect::<Result<_>>()?;
        let mut prepared: Vec<Prepared> = Vec::new();
        for draft in &drafts {
            let Some(published) = &draft.published else { continue };
            if !prepared.iter().any(|known| known.published == *published) {
                prepared.push(Prepared::new(draft, published, file.max_tried(), options)?);
            }
        }
        Ok(Plan { file, drafts, denied, prepared, options: options.clone() })
    }

    /// The rules, with the keys of now of each service.
    pub(super) fn ruleset(&self, mut keys: impl FnMut(&Draft) -> (KeySet, Option<JwksCache>)) -> Ruleset {
        let service = |draft: &Draft| {
            let (keys, jwks) = keys(draft);
            (draft.id.clone(), draft.service(keys, jwks))
        };
        let services: HashMap<_, _> = self.drafts.iter().map(service).collect();
        Ruleset {
            services,
            policy: self.file.policy(self.options.freshness),
            uri_policy: self.file.uri_policy(),
            accel_expires: self.file.accel_expires(),
            denied: self.denied.list.clone(),
            cache: Cache::new(self.options.cache_size),
        }
    }
}
