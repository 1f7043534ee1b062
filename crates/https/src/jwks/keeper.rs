//! The task that fetches.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use token::{JwkSet, KeySet, Origin};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::source::{Document, Source};
use super::{FetchCounts, JwksCopy, Kept, Shared, Terms, schedule};

pub(super) struct Keeper<S> {
    source: S,
    terms: Terms,
    shared: Arc<Shared>,
    failures: u32,
    asked: Option<Instant>,
    copy: Option<JwksCopy>,
    copy_failed: bool,
    counts: Arc<FetchCounts>,
}

impl<S: Source> Keeper<S> {
    pub(super) fn new(
        source: S,
        terms: Terms,
        copy: Option<JwksCopy>,
        counts: Arc<FetchCounts>,
        shared: Arc<Shared>,
    ) -> Self {
        Keeper { source, terms, shared, failures: 0, asked: None, copy, copy_failed: false, counts }
    }

    /// Until the first fetch, with what was fetched before, else with the copy. What cannot be used counts as
    /// none: the network has the last word.
    pub(super) fn begin(&mut self, before: Option<Kept>) {
        let kept = match (before, &self.copy) {
            (None, Some(copy)) => copy.read(),
            (before, _) => Ok(before),
        };
        if let Err(error) = kept.and_then(|kept| kept.map_or(Ok(()), |kept| self.begin_with(kept))) {
            let error = format!("{error:#}");
            warn!(source = %self.source, error, "the copy of the JWK set is not used");
        }
    }

    fn begin_with(&mut self, Kept { bytes, age }: Kept) -> Result<()> {
        // `None`: from before this machine was started, by a clock that only knows the time since.
        let fetched = Instant::now().checked_sub(age);
        if self.terms.max_stale.is_some_and(|max| fetched.is_none() || age >= max) {
            info!(source = %self.source, ?age, "the copy of the JWK set is too old to be used");
            return Ok(());
        }
        let skipped = self.adopt(Document { bytes, max_age: None, origin: Origin::Fetched })?;
        let mut report = self.shared.report();
        report.succeeded = fetched;
        report.skipped = skipped;
        Ok(())
    }

    pub(super) async fn run(mut self) {
        loop {
            self.forget_wishes().await;
            let document = self.source.document().await;
            let before = self.bytes();
            let taken = document.and_then(|document| self.take(document));
            self.counts.count(taken.is_ok());
            let wait = match taken {
                Ok(wait) => {
                    self.keep_copy(self.bytes() == before).await;
                    wait
                }
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

    /// What the keys were read from.
    fn bytes(&self) -> Bytes {
        self.shared.report().document.clone()
    }

    fn has_keys(&self) -> bool {
        self.shared.keys.borrow().is_some()
    }

    /// How long to wait after a success.
    fn take(&mut self, document: Document) -> Result<Duration> {
        let wait = schedule::refresh(self.terms.refresh, document.max_age);
        let same = self.has_keys() && self.bytes() == document.bytes;
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
        self.shared.report().document = document.bytes;
        self.shared.keys.send_replace(Some(Arc::new(keys)));
        Ok(set.skipped().len())
    }

    /// For the next start; nobody waits for it. `unchanged` tells that the copy has this document already,
    /// unless somebody removed it.
    async fn keep_copy(&mut self, unchanged: bool) {
        let Some(copy) = self.copy.clone() else { return };
        let bytes = self.bytes();
        let kept = tokio::task::spawn_blocking(move || {
            if unchanged && copy.confirm().is_ok() { Ok(()) } else { copy.write(&bytes) }
        });
        // A blocking task that was not run: the runtime is going away.
        let Ok(kept) = kept.await else { return };
        if let Err(error) = &kept
            && !self.copy_failed
        {
            warn!(source = %self.source, %error, "the copy of the JWK set cannot be written");
        }
        self.copy_failed = kept.is_err();
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
