//! A JWK set kept fresh in the background. Nobody who asks for keys ever waits for a fetch.
//!
//! ```text
//! URL or file ──► document ──► JwkSet ──► KeySet ──► keys(), subscribe()
//!     ▲                                                  │
//!     └── refresh time, back-off, unknown_kid(), refetch()
//! ```
//!
//! With a [`JwksCopy`] the last good document of a URL outlives the process: the next one begins with it.

mod copy;
mod counts;
mod keeper;
mod schedule;
mod source;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use token::KeySet;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use keeper::Keeper;
use source::Source;

pub use copy::{JwksCopy, Kept};
pub use counts::FetchCounts;
pub use source::JwksSource;

/// What is kept, and how.
#[derive(Debug, Clone)]
pub struct JwksConfig {
    /// Where the set is published
    pub source: JwksSource,
    /// How often it is fetched. `None`: as `max-age` of its `Cache-Control` says, else every 10 min.
    /// Bounded to 1 min … 24 h, then up to a tenth sooner
    pub refresh: Option<Duration>,
    /// How old the keys may become while fetches fail; then there are none. `None`: they stay
    pub max_stale: Option<Duration>,
    /// [`KeySet::published`]'s limit; usually [`token::MAX_TRIED`]
    pub max_tried: usize,
    /// Where the last good document is kept, for a set that is fetched; `None`: nowhere
    pub copy: Option<JwksCopy>,
    /// Where fetches are counted: those of one set, or of all that a program has
    pub counts: Arc<FetchCounts>,
}

/// The keys of a JWK set, fetched in the background. Clones are the same cache; the last one that is
/// dropped ends the fetching.
#[derive(Clone)]
pub struct JwksCache {
    shared: Arc<Shared>,
    _fetching: Arc<DropGuard>,
}

/// How a cache is doing, for status pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksState {
    /// How many keys there are; `None` before the first success and after `max_stale`
    pub keys: Option<usize>,
    /// How many keys of the set cannot be used
    pub skipped: usize,
    /// Since the last success
    pub age: Option<Duration>,
    /// Why the last fetch failed; `None` if it did not
    pub last_error: Option<String>,
}

/// What the fetching task and the cache's users have in common.
struct Shared {
    /// Changes only when the keys do
    keys: watch::Sender<Option<Arc<KeySet>>>,
    report: Mutex<Report>,
    unknown_kid: Notify,
    refetch: Notify,
    max_stale: Option<Duration>,
}

#[derive(Default)]
struct Report {
    succeeded: Option<Instant>,
    /// What the keys were read from
    document: Bytes,
    skipped: usize,
    last_error: Option<String>,
}

impl JwksCache {
    /// Starts fetching, in a task of the runtime that this is called in, until `stop` is cancelled. The keys
    /// of the copy are there at once, if there is one; it blocks for as long as reading that takes.
    pub fn start(config: JwksConfig, stop: &CancellationToken) -> Self {
        JwksCache::start_after(None, config, stop)
    }

    /// The same for other terms than before: it begins with what `before` has fetched last of that source.
    pub fn start_after(before: Option<&JwksCache>, config: JwksConfig, stop: &CancellationToken) -> Self {
        let JwksConfig { source, refresh, max_stale, max_tried, copy, counts } = config;
        let copy = if matches!(source, JwksSource::Url(..)) { copy } else { None };
        let begin = Begin { before: before.and_then(JwksCache::last), copy, counts };
        JwksCache::keep(source, Terms { refresh, max_stale, max_tried }, begin, stop)
    }

    fn keep(source: impl Source, terms: Terms, begin: Begin, stop: &CancellationToken) -> Self {
        let stop = stop.child_token();
        let shared = Arc::new(Shared {
            keys: watch::Sender::new(None),
            report: Mutex::default(),
            unknown_kid: Notify::new(),
            refetch: Notify::new(),
            max_stale: terms.max_stale,
        });
        let Begin { before, copy, counts } = begin;
        let mut keeper = Keeper::new(source, terms, copy, counts, shared.clone());
        keeper.begin(before);
        tokio::spawn(stop.clone().run_until_cancelled_owned(keeper.run()));
        JwksCache { shared, _fetching: Arc::new(stop.drop_guard()) }
    }

    /// The keys; `None` before the first success, and when the last one is longer ago than
    /// `max_stale`: then nobody's token can be judged. The set may be empty, if its publisher says so.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        if self.shared.is_stale() { None } else { self.shared.keys.borrow().clone() }
    }

    /// Hears of every change of the keys. One that is fetched again unchanged is the same `Arc`.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<KeySet>>> {
        self.shared.keys.subscribe()
    }

    /// Tells that a token names a key that is not in the set. It is fetched again, at most once a
    /// minute for this reason; whoever calls goes on with the keys that there are.
    pub fn unknown_kid(&self) {
        self.shared.unknown_kid.notify_one();
    }

    /// Has the set fetched again at once: for an operator's signal, not for a caller's request.
    pub fn refetch(&self) {
        self.shared.refetch.notify_one();
    }

    /// The last good document.
    fn last(&self) -> Option<Kept> {
        let report = self.shared.report();
        Some(Kept { age: report.succeeded?.elapsed(), bytes: report.document.clone() })
    }

    /// How the cache is doing.
    pub fn state(&self) -> JwksState {
        let keys = self.keys().map(|keys| keys.keys().len());
        let report = self.shared.report();
        JwksState {
            keys,
            skipped: report.skipped,
            age: report.succeeded.map(|at| at.elapsed()),
            last_error: report.last_error.clone(),
        }
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksCache({:?})", self.state())
    }
}

/// What there is before the first fetch; the first one counts.
#[derive(Debug, Default)]
struct Begin {
    before: Option<Kept>,
    /// Written at each success
    copy: Option<JwksCopy>,
    counts: Arc<FetchCounts>,
}

/// [`JwksConfig`] without the source and the copy.
#[derive(Debug, Clone, Copy)]
struct Terms {
    refresh: Option<Duration>,
    max_stale: Option<Duration>,
    max_tried: usize,
}

impl Shared {
    /// Never held across an await.
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stale(&self) -> bool {
        self.stale_at().is_some_and(|at| at <= Instant::now())
    }

    fn stale_at(&self) -> Option<Instant> {
        self.report().succeeded?.checked_add(self.max_stale?)
    }
}

#[cfg(test)]
mod tests;
