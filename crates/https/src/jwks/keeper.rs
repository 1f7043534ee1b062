//! The task that fetches.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use token::{JwkSet, KeySet};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::source::{Document, Source};
use super::{Shared, Terms, schedule};

pub(super) struct Keeper<S> {
    source: S,
    terms: Terms,
    shared: Arc<Shared>,
    /// What the keys were read from
    bytes: Bytes,
    failures: u32,
    asked: Option<Instant>,
}

impl<S: Source> Keeper<S> {
    pub(super) fn new(source: S, terms: Terms, shared: Arc<Shared>) -> Self {
        Keeper { source, terms, shared, bytes: Bytes::new(), failures: 0, asked: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.forget_wishes().await;
            let document = self.source.document().await;
            let wait = match document.and_then(|document| self.take(document)) {
                Ok(wait) => wait,
                Err(error) => self.fail(&error),
            };
            self.rest(schedule::jitter(wait)).await;
        }
    }

    /// The fetch that begins now fulfils all that were made before.
    async fn forget_wishes(&self) {
        for wish in [&self.shared.unknown_kid, &self.shared.refetch] {
            tokio::select! {
                biased;
                () = wish.notified() => {}
                () = std::future::ready(()) => {}
            }
        }
    }

    /// Until it is time, or somebody wants it sooner, or the keys have become too old.
    async fn rest(&mut self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.shared.refetch.notified() => {}
            () = self.unknown_kid() => self.asked = Some(Instant::now()),
            () = self.stale() => self.drop_keys(),
        }
    }

    /// Somebody who asks while the minute is not over is remembered.
    async fn unknown_kid(&self) {
        self.shared.unknown_kid.notified().await;
        if let Some(asked) = self.asked {
            sleep_until(asked + schedule::UNKNOWN_KID).await;
        }
    }

    async fn stale(&self) {
        match self.shared.stale_at().filter(|_| self.has_keys()) {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn drop_keys(&self) {
        warn!(source = %self.source, "the keys of the JWK set are too old and no longer used");
        self.shared.keys.send_replace(None);
    }

    fn has_keys(&self) -> bool {
        self.shared.keys.borrow().is_some()
    }

    /// How long to wait after a success.
    fn take(&mut self, document: Document) -> Result<Duration> {
        let wait = schedule::refresh(self.terms.refresh, document.max_age);
        let same = self.has_keys() && self.bytes == document.bytes;
        let skipped = if same { None } else { Some(self.adopt(document)?) };
        self.failures = 0;
        let mut report = self.shared.report();
        report.succeeded = Some(Instant::now());
        report.skipped = skipped.unwrap_or(report.skipped);
        if report.last_error.take().is_some() && same {
            info!(source = %self.source, "the JWK set can be fetched again; its keys have not changed");
        }
        Ok(wait)
    }

    /// How many keys of the new set cannot be used.
    fn adopt(&mut self, document: Document) -> Result<usize> {
        let set = JwkSet::parse(&document.bytes, document.origin)?;
        let keys = KeySet::published(set.keys().to_vec(), self.terms.max_tried).context("the JWK set")?;
        for skipped in set.skipped() {
            warn!(source = %self.source, "of the JWK set, {skipped}");
        }
        if keys.keys().is_empty() {
            warn!(source = %self.source, "the JWK set has no key that can be used: every token is refused");
        }
        info!(source = %self.source, keys = keys.keys().len(), "the keys of the JWK set are new");
        self.bytes = document.bytes;
        self.shared.keys.send_replace(Some(Arc::new(keys)));
        Ok(set.skipped().len())
    }

    /// How long to wait after a failure.
    fn fail(&mut self, error: &anyhow::Error) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let has_keys = self.has_keys();
        let text = format!("{error:#}");
        let known = self.shared.report().last_error.replace(text.clone());
        if known.as_ref() == Some(&text) {
            debug!(source = %self.source, error = text, "the JWK set still cannot be fetched");
        } else {
            let meanwhile = if has_keys { "the old keys stay" } else { "there are no keys" };
            warn!(source = %self.source, error = text, "the JWK set cannot be fetched; {meanwhile}");
        }
        schedule::retry(self.failures, has_keys)
    }
}
