//! A service as the files say it: all of it but what is fetched.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use daemon::Text;
use http::HeaderName;
use https::jwks::JwksCache;
use token::{Key, KeySet, KeySetError};
use toml::Spanned;

use super::keys::{Keys, Reader, Set};
use crate::file::{self, Covered, Published};
use crate::{Methods, Rule, Service};

/// A key, and where it is from.
#[derive(Clone, Debug)]
pub struct KeyFact {
    /// `public_keys[0]`, `keys[1] report.pem` or `jwks set.json`
    pub from: String,
    /// The key and its terms
    pub key: Key,
}

/// What a [`Service`] is made of again and again.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    /// `FILE:LINE: services[2] "report_batch"`
    pub(super) place: String,
    /// The keys of files, those of a JWK set last.
    pub(super) keys: Vec<KeyFact>,
    /// What is odd about them, for a warning each.
    pub(super) repeated: Vec<String>,
    /// They alone.
    alone: KeySet,
    pub(super) published: Option<Published>,
    rules: Vec<Rule>,
    scopes: Option<BTreeSet<String>>,
    headers: Vec<(HeaderName, String)>,
    pub(super) max_tried: usize,
}

impl Draft {
    /// Reads the service at `index` of the file, and its keys.
    ///
    /// # Errors
    /// The first key that cannot be used, or too many of them.
    pub(super) fn read(file: &file::File, index: usize, service: &Spanned<file::Service>) -> Result<Self> {
        let at = file.source.at(&service.span());
        let service = service.get_ref();
        let place = format!("{at}: {}", service.name(index));
        let reader = Reader { source: &file.source, service: service.name(index) };
        let Keys { facts: mut keys, repeated } = reader.keys(service)?;
        let own = || keys.iter().map(|fact| fact.key.clone()).collect();
        let limit = file.max_tried();
        let too_many = || format!("{place}: too many keys; max_keys_tried is {limit}");
        let mut alone = KeySet::with_max_tried(own(), limit).with_context(too_many)?;
        let published = match reader.set(service)? {
            None => None,
            Some(Set::Published(published)) => Some(published),
            Some(Set::Keys(set)) => {
                keys.extend(set);
                let all = keys.iter().map(|fact| fact.key.clone()).collect();
                alone = KeySet::published(all, limit).with_context(too_many)?;
                None
            }
        };
        let scopes = service.scopes.iter().map(|scope| scope.0.0.clone()).collect();
        Ok(Draft {
            id: service.id().to_owned(),
            place,
            keys,
            repeated,
            alone,
            published,
            rules: rules(service),
            scopes: (!service.scopes.is_empty()).then_some(scopes),
            headers: service.headers.0.clone(),
            max_tried: limit,
        })
    }

    /// Its keys together with those of a published set.
    ///
    /// # Errors
    /// There would be too many for one algorithm.
    pub(super) fn with(&self, fetched: &KeySet) -> Result<KeySet, KeySetError> {
        let own = self.keys.iter().map(|fact| fact.key.clone());
        KeySet::published(own.chain(fetched.keys().iter().cloned()).collect(), self.max_tried)
    }

    /// Its keys without those of a published set.
    pub(super) fn alone(&self) -> KeySet {
        self.alone.clone()
    }

    /// The service with the keys of now.
    pub(super) fn service(&self, keys: KeySet, jwks: Option<JwksCache>) -> Arc<Service> {
        Arc::new(Service {
            id: self.id.clone(),
            keys,
            jwks,
            rules: self.rules.clone(),
            scopes: self.scopes.clone(),
            headers: self.headers.clone(),
        })
    }
}

fn rules(service: &file::Service) -> Vec<Rule> {
    let any = service.paths.iter().map(|path| (path, Methods::Any));
    let listed = service.rules.iter().map(|rule| {
        let rule = rule.get_ref();
        (&rule.path, Methods::Listed(rule.methods.iter().map(|method| method.0.clone()).collect()))
    });
    let rule = |(path, methods): (&Spanned<Text<Covered>>, _)| Rule {
        prefix: path.get_ref().0.prefix.clone(),
        methods,
    };
    any.chain(listed).map(rule).collect()
}
