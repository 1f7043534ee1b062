//! The keys of a service that are in files.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use token::{JwkSet, Key, MAX_JWK_SET, Origin, PublicKey};
use toml::Spanned;

use super::KeyFact;
use crate::file::{self, JwksPlace, KeySource, Published, Source, Wrong};

/// The longest PEM file that is looked at, in bytes; certificates come with much text around them.
const MAX_PEM: u64 = 256 * 1024;

/// Reads the keys of one service.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    /// `services[2] "report_batch"`
    pub(super) service: String,
}

/// What `[services.jwks]` leads to.
#[derive(Debug)]
pub(super) enum Set {
    Keys(Vec<KeyFact>),
    Published(Published),
}

/// The keys of a service.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) facts: Vec<KeyFact>,
    /// What is odd about them
    pub(super) repeated: Vec<String>,
}

impl Keys {
    /// One key may be there twice, as with a certificate and its renewal. With the same terms it says nothing
    /// new; the original took such a file.
    fn push(&mut self, fact: KeyFact) {
        match self.facts.iter().find(|first| same(&first.key, &fact.key)) {
            Some(first) => {
                self.repeated
                    .push(format!("{}: the same key as {}; remove one of them", fact.from, first.from));
            }
            None => self.facts.push(fact),
        }
    }
}

impl Reader<'_> {
    /// Those of `public_keys` and `[[services.keys]]`, in order.
    ///
    /// # Errors
    /// `FILE:LINE: SERVICE: KEY: what`
    pub(super) fn keys(&self, service: &file::Service) -> Result<Keys> {
        let mut keys = Keys::default();
        for (index, pem) in service.public_keys.iter().enumerate() {
            let from = format!("public_keys[{index}]");
            let public = self.public(&from, pem.span(), Ok(pem.get_ref().clone().into_bytes()))?;
            keys.push(KeyFact { from, key: Key::from(public) });
        }
        for (index, key) in service.keys.iter().enumerate() {
            keys.push(self.key(index, key)?);
        }
        Ok(keys)
    }

    fn key(&self, index: usize, key: &Spanned<file::Key>) -> Result<KeyFact> {
        let name = format!("keys[{index}]");
        let place = |wrong: Wrong| {
            self.source.error(wrong.within(&name, key.span()).within(&self.service, key.span()))
        };
        let (from, span, pem) = match key.get_ref().source().map_err(place)? {
            KeySource::Pem(pem) => (name.clone(), pem.span(), Ok(pem.get_ref().clone().into_bytes())),
            KeySource::File(path) => {
                (format!("{name} {}", path.get_ref().display()), path.span(), read(path.get_ref(), MAX_PEM))
            }
        };
        let public = self.public(&from, span, pem)?;
        Ok(KeyFact { from, key: key.get_ref().terms(Key::from(public)).map_err(place)? })
    }

    fn public(&self, from: &str, span: Range<usize>, pem: io::Result<Vec<u8>>) -> Result<PublicKey> {
        let place = || self.place(from, &span);
        PublicKey::from_pem(&pem.with_context(place)?).with_context(place)
    }

    /// Where the JWK set is, and its keys if that is a file.
    ///
    /// # Errors
    /// `FILE:LINE: SERVICE: jwks: what`; with a file any key that cannot be used.
    pub(super) fn set(&self, service: &file::Service) -> Result<Option<Set>> {
        let Some(jwks) = &service.jwks else { return Ok(None) };
        let wrong = |wrong: Wrong| {
            self.source.error(wrong.within("jwks", jwks.span()).within(&self.service, jwks.span()))
        };
        let path = match jwks.get_ref().place().map_err(wrong)? {
            JwksPlace::Url(published) => return Ok(Some(Set::Published(published))),
            JwksPlace::File(path) => path,
        };
        let from = format!("jwks {}", path.display());
        let place = || self.place(&from, &jwks.span());
        let bytes = read(&path, MAX_JWK_SET as u64).with_context(place)?;
        let set = JwkSet::parse(&bytes, Origin::File).with_context(place)?;
        let fact = |key: &Key| KeyFact { from: from.clone(), key: key.clone() };
        Ok(Some(Set::Keys(set.keys().iter().map(fact).collect())))
    }

    fn place(&self, from: &str, span: &Range<usize>) -> String {
        format!("{}: {}: {from}", self.source.at(span), self.service)
    }
}

fn same(one: &Key, other: &Key) -> bool {
    let terms = |key: &Key| (key.kid.clone(), key.algorithms.clone(), key.not_before, key.not_after);
    one.public.fingerprint() == other.public.fingerprint() && terms(one) == terms(other)
}

/// One byte more than `most` if it is longer: whoever parses it says so.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
