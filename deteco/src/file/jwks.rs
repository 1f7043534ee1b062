//! `[services.jwks]`: a JWK set, in a file or published.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use daemon::{GoDuration, Text};
use https::{Scheme, Url};
use serde::Deserialize;
use toml::Spanned;

use super::place::Wrong;

/// How often a JWK set is fetched that has a `max_stale` and no `refresh`.
const REFRESH: Duration = Duration::from_secs(600);
/// What `refresh` may be.
const REFRESHES: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);

/// Where it is, and how it is fetched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jwks {
    url: Option<Spanned<String>>,
    file: Option<Spanned<PathBuf>>,
    /// Whom to trust with the URL; `None`: the system's authorities.
    ca: Option<Spanned<PathBuf>>,
    refresh: Option<Spanned<Text<GoDuration>>>,
    max_stale: Option<Spanned<Text<GoDuration>>>,
}

/// Where a JWK set is.
#[derive(Clone, Debug)]
pub(crate) enum JwksPlace {
    /// In a file of ours.
    File(PathBuf),
    /// Published.
    Url(Published),
}

/// A set that is fetched, and how. Equal ones are fetched once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) url: Url,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) refresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
}

impl Published {
    /// Whether it is the same set, however it is fetched.
    pub(crate) fn is_of(&self, other: &Published) -> bool {
        self.url == other.url && self.ca == other.ca
    }
}

impl Jwks {
    /// Where the set is.
    ///
    /// # Errors
    /// What is wrong, and where if not in all of the table.
    pub(crate) fn place(&self) -> Result<JwksPlace, Wrong> {
        let url = match (&self.url, &self.file) {
            (Some(url), None) => url,
            (None, Some(file)) => return self.only_file(file),
            (None, None) => return Err("it has neither url nor file; write one of them".into()),
            (Some(_), Some(_)) => return Err("it has both url and file; remove one of them".into()),
        };
        let parsed = published_at(url.get_ref()).map_err(|what| Wrong::at(url.span(), what))?;
        let (refresh, max_stale) = self.times()?;
        let ca = self.ca.as_ref().map(|ca| ca.get_ref().clone());
        Ok(JwksPlace::Url(Published { url: parsed, ca, refresh, max_stale }))
    }

    fn only_file(&self, file: &Spanned<PathBuf>) -> Result<JwksPlace, Wrong> {
        let times = [&self.refresh, &self.max_stale].into_iter().flatten().map(Spanned::span);
        match times.chain(self.ca.iter().map(Spanned::span)).min_by_key(|span| span.start) {
            None => Ok(JwksPlace::File(file.get_ref().clone())),
            Some(span) => {
                Err(Wrong::at(span, "a file is read when it changes; remove ca, refresh and max_stale"))
            }
        }
    }

    /// `refresh` and `max_stale`. With the latter alone the publisher does not choose when to fetch: it could
    /// say so seldom that the keys are too old in between.
    fn times(&self) -> Result<(Option<Duration>, Option<Duration>), Wrong> {
        let time = |text: &Spanned<Text<GoDuration>>| text.get_ref().0.0;
        let refresh = self.refresh.as_ref().map(time);
        if let Some(text) = self.refresh.as_ref().filter(|text| !REFRESHES.contains(&time(text))) {
            return Err(Wrong::at(text.span(), "refresh is from 1m to 24h"));
        }
        let Some(text) = &self.max_stale else { return Ok((refresh, None)) };
        let refresh = refresh.unwrap_or(REFRESH);
        if time(text) <= refresh {
            let what = format!("max_stale is longer than refresh, which is {}", GoDuration(refresh));
            return Err(Wrong::at(text.span(), what));
        }
        Ok((Some(refresh), Some(time(text))))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Spanned<PathBuf>> {
        [&self.file, &self.ca].into_iter().flatten()
    }

    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        [&mut self.file, &mut self.ca].into_iter().flatten()
    }
}

/// The text is not repeated: a query may be secret.
fn published_at(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error: https::UrlError| error.to_string())?;
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err("the URL begins with https://".to_owned());
    }
    if url.scheme == Scheme::Plain && !url.host.is_loopback() {
        // Whoever can change it on the way could let anybody in.
        return Err("the keys would be fetched in the clear; write https://".to_owned());
    }
    Ok(url)
}
