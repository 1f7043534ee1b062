//! The JWK sets that are fetched: each once, however many services have it, and through all reloads.

use std::sync::Arc;

use anyhow::{Context, Result};
use https::fetch::{Client, Limits};
use https::jwks::{FetchCounts, JwksCache, JwksConfig, JwksCopy, JwksSource};
use https::proxy::ProxyRule;
use https::{ClientFiles, ClientTls};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::RulesOptions;
use super::draft::Draft;
use crate::file::Published;

/// What a set is fetched with, found good before anything is swapped.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) published: Published,
    pub(super) copy: Option<JwksCopy>,
    max_tried: usize,
    client: Client,
}

impl Prepared {
    /// # Errors
    /// Authorities that cannot be read, or a proxy in the environment that is none.
    pub(super) fn new(
        draft: &Draft,
        published: &Published,
        max_tried: usize,
        options: &RulesOptions,
    ) -> Result<Self> {
        let place = || format!("{}: jwks", draft.place);
        let files = ClientFiles { ca: published.ca.clone(), identity: None };
        let tls = Arc::new(ClientTls::load(files).with_context(place)?);
        let proxies = ProxyRule::new(None, |name| std::env::var(name).ok()).with_context(place)?;
        let client = Client { tls, proxies, limits: Limits::default() };
        let copy = options.state_dir.as_deref().map(|directory| JwksCopy::new(directory, &published.url));
        Ok(Prepared { published: published.clone(), copy, max_tried, client })
    }

    fn config(&self, counts: Arc<FetchCounts>) -> JwksConfig {
        let Published { url, refresh, max_stale, .. } = self.published.clone();
        JwksConfig {
            source: JwksSource::Url(self.client.clone(), url),
            refresh,
            max_stale,
            max_tried: self.max_tried,
            copy: self.copy.clone(),
            counts,
        }
    }
}

/// The sets of the plan in force.
#[derive(Debug)]
pub(super) struct Sets {
    kept: Vec<(Prepared, JwksCache)>,
    /// Told of each change of the keys of any of them.
    changed: Arc<Notify>,
    /// Of all sets, also those that are no longer wanted.
    pub(super) counts: Arc<FetchCounts>,
    stop: CancellationToken,
    _fetching: DropGuard,
}

impl Sets {
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        let stop = CancellationToken::new();
        let counts = Arc::default();
        Sets { kept: Vec::new(), changed, counts, _fetching: stop.clone().drop_guard(), stop }
    }

    /// Goes on with those that stay as they are, keys and all, and fetches them anew; starts the others, with the keys of now if only
    /// their terms are new, and ends what is no longer wanted. Inside a tokio runtime; blocks for as long as
    /// reading files takes.
    pub(super) fn adopt(&mut self, prepared: &[Prepared]) {
        let next = prepared.iter().map(|wanted| match self.find(wanted) {
            Some((kept, cache)) => {
                // It was just found good; the connection of the next fetch is made with it.
                if let Err(error) = kept.client.tls.reload() {
                    let (url, error) = (&wanted.published.url, format!("{error:#}"));
                    tracing::warn!(%url, error, "the authorities cannot be read again, the old ones stay");
                }
                // An operator who reloads may have published another key just now.
                cache.refetch();
                (kept.clone(), cache.clone())
            }
            None => (wanted.clone(), self.start(wanted)),
        });
        self.kept = next.collect();
    }

    fn find(&self, wanted: &Prepared) -> Option<&(Prepared, JwksCache)> {
        let same = |kept: &Prepared| kept.published == wanted.published && kept.max_tried == wanted.max_tried;
        self.kept.iter().find(|(kept, _)| same(kept))
    }

    fn start(&self, wanted: &Prepared) -> JwksCache {
        let before = self.kept.iter().find(|(kept, _)| kept.published.is_of(&wanted.published));
        let before = before.map(|(_, cache)| cache);
        let cache = JwksCache::start_after(before, wanted.config(self.counts.clone()), &self.stop);
        let (mut keys, changed) = (cache.subscribe(), self.changed.clone());
        tokio::spawn(async move {
            while keys.changed().await.is_ok() {
                changed.notify_one();
            }
        });
        cache
    }

    /// The set of a service that has one.
    pub(super) fn of(&self, draft: &Draft) -> Option<&JwksCache> {
        let published = draft.published.as_ref()?;
        self.kept.iter().find(|(kept, _)| kept.published == *published).map(|(_, cache)| cache)
    }
}
