//! The file of `--conf`: services, their keys, and what they may see.
//!
//! ```toml
//! audience = "https://tools.example.com"
//! leeway = "30s"
//! deny_file = "denied.txt"
//!
//! [[services]]
//! id = "report_batch"
//! paths = ["/api/reports"]
//! public_keys = ['''-----BEGIN PUBLIC KEY-----…''']
//! ```
//!
//! What the original's files say (`id`, `public_keys`, `paths`) is read as it was there. A key that is not known
//! is an error, and every error names file and line. A relative path is relative to the file.

mod header;
mod jwks;
mod key;
mod moment;
mod place;
mod service;
mod text;

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use daemon::{GoDuration, Text};
use serde::Deserialize;
use token::{MAX_TRIED, Policy};
use toml::Spanned;

use crate::UriPolicy;

pub(crate) use jwks::{JwksPlace, Published};
pub(crate) use key::{Key, KeySource};
use place::has_pem;
pub(crate) use place::{Source, Wrong};
pub(crate) use service::{Covered, Service};
use text::{Full, Names};

/// How many keys a token may have us try.
const TRIED: RangeInclusive<usize> = 1..=16;

/// What a file says, checked; but for the keys, which are for the loader to judge.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The file itself, for errors.
    #[serde(skip)]
    pub(crate) source: Source,
    /// In order; at least one.
    #[serde(default)]
    pub(crate) services: Full<Spanned<Service>>,
    /// `aud` must be or contain one of these; empty: it is not looked at.
    #[serde(default)]
    pub(crate) audience: Names,
    /// `iss` must be one of these; empty: it is not looked at.
    #[serde(default)]
    pub(crate) issuer: Names,
    /// How far two clocks may be apart; `None`: 30 s.
    leeway: Option<Spanned<Text<GoDuration>>>,
    /// The most that `exp` − `iat` may be; `None`: any.
    max_lifetime: Option<Spanned<Text<GoDuration>>>,
    /// How strict a path must be spelt.
    #[serde(default)]
    uri_policy: Spelling,
    /// The deny list.
    pub(crate) deny_file: Option<Spanned<PathBuf>>,
    /// How many keys a token may have us try; `None`: [`MAX_TRIED`].
    max_keys_tried: Option<Spanned<i64>>,
    /// The longest that nginx may keep a 200; `None`: it is not told to.
    accel_expires: Option<Spanned<Text<GoDuration>>>,
}

/// `uri_policy`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spelling {
    #[default]
    Canonical,
    Nginx,
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The first thing wrong, as `FILE:LINE: what`.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("--conf {}", path.display()))?;
        Self::parse(&text, path)
    }

    /// Reads `text`, which is the content of `path`.
    ///
    /// # Errors
    /// The first thing wrong, as `FILE:LINE: what`.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let source = Source::new(text, path);
        let mut file: Self = toml::from_str(text).map_err(|error| source.unreadable(&error))?;
        file.source = source;
        if file.services.is_empty() {
            let what =
                "no [[services]]: every token would be refused; add one with id, paths and public_keys";
            return Err(file.source.wrong(0..0, what));
        }
        file.check_bounds()?;
        service::check(&file.services, &file.source)?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let is_key = |path: &&mut Spanned<PathBuf>| has_pem(&path.get_ref().to_string_lossy());
        let key = file.paths_mut().find(is_key).map(|path| path.span());
        if let Some(span) = key {
            return Err(file.source.wrong(span, "a key stands there, expected the name of a file"));
        }
        for path in file.paths_mut() {
            *path.get_mut() = directory.join(path.get_ref());
        }
        Ok(file)
    }

    fn check_bounds(&self) -> Result<()> {
        let second = Duration::from_secs(1);
        for (name, least, value) in [
            ("max_lifetime", second, &self.max_lifetime),
            ("accel_expires", second, &self.accel_expires),
            ("leeway", Duration::ZERO, &self.leeway),
        ] {
            if let Some(value) = value.as_ref().filter(|value| value.get_ref().0.0 < least) {
                let what = format!("{name} is at least 1s; leave it out for none");
                return Err(self.source.wrong(value.span(), what));
            }
        }
        let hour = Duration::from_secs(3600);
        if let Some(value) = self.leeway.as_ref().filter(|value| value.get_ref().0.0 > hour) {
            let what = "leeway is at most 1h: it prolongs the life of every token; set the clocks instead";
            return Err(self.source.wrong(value.span(), what));
        }
        match &self.max_keys_tried {
            Some(value) if self.max_tried_in(TRIED).is_none() => {
                let what = format!("max_keys_tried is from {} to {}", TRIED.start(), TRIED.end());
                Err(self.source.wrong(value.span(), what))
            }
            _ => Ok(()),
        }
    }

    fn max_tried_in(&self, bounds: RangeInclusive<usize>) -> Option<usize> {
        let given = usize::try_from(*self.max_keys_tried.as_ref()?.get_ref()).ok()?;
        bounds.contains(&given).then_some(given)
    }

    /// How many keys a token may have us try.
    pub(crate) fn max_tried(&self) -> usize {
        self.max_tried_in(TRIED).unwrap_or(MAX_TRIED)
    }

    /// What a token must say, with `--jwt-freshness`.
    pub(crate) fn policy(&self, freshness: Option<Duration>) -> Policy {
        let policy = Policy::default();
        Policy {
            freshness,
            leeway: self.leeway.as_ref().map_or(policy.leeway, duration),
            audience: self.audience.0.clone(),
            issuer: self.issuer.0.clone(),
            max_lifetime: self.max_lifetime.as_ref().map(duration),
            ..policy
        }
    }

    pub(crate) fn uri_policy(&self) -> UriPolicy {
        match self.uri_policy {
            Spelling::Canonical => UriPolicy::Canonical,
            Spelling::Nginx => UriPolicy::Nginx,
        }
    }

    pub(crate) fn accel_expires(&self) -> Option<Duration> {
        self.accel_expires.as_ref().map(duration)
    }

    /// Every file that it names.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let deny = self.deny_file.iter().map(|path| path.get_ref().clone());
        deny.chain(self.services.iter().flat_map(|service| service.get_ref().paths())).collect()
    }

    fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        let services = self.services.0.iter_mut().flat_map(|service| service.get_mut().paths_mut());
        self.deny_file.iter_mut().chain(services)
    }
}

fn duration(text: &Spanned<Text<GoDuration>>) -> Duration {
    text.get_ref().0.0
}

#[cfg(test)]
mod tests;
