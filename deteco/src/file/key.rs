//! `[[services.keys]]`: a public key, and when and for what it counts.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use daemon::Text;
use serde::Deserialize;
use token::Algorithm;
use toml::Spanned;

use super::moment::Moment;
use super::place::Wrong;
use super::text::Full;

/// One key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// The only `kid` it answers to; `None`: it is tried for any token.
    kid: Option<Text<Kid>>,
    /// A PEM file: a public key or a certificate.
    pub(super) file: Option<Spanned<PathBuf>>,
    /// The PEM itself.
    pem: Option<Spanned<String>>,
    /// The first moment at which it counts; `None`: from ever, or as its certificate says.
    not_before: Option<Moment>,
    /// The last moment at which it counts; `None`: for ever, or as its certificate says.
    not_after: Option<Spanned<Moment>>,
    /// What a token's `alg` may be; empty: what the key can do.
    #[serde(default)]
    algorithms: Full<Spanned<Text<Algorithm>>>,
}

/// The name of a key in a token's header.
#[derive(Debug)]
struct Kid(String);

impl FromStr for Kid {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.len() {
            1..=256 if !text.chars().any(char::is_control) => Ok(Kid(text.to_owned())),
            _ => Err("a kid has 1 to 256 bytes, without control characters"),
        }
    }
}

/// Where a key is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeySource<'a> {
    /// In a PEM file.
    File(&'a Spanned<PathBuf>),
    /// In the configuration.
    Pem(&'a Spanned<String>),
}

impl Key {
    /// Where it is.
    ///
    /// # Errors
    /// Nowhere, or in two places.
    pub(crate) fn source(&self) -> Result<KeySource<'_>, Wrong> {
        match (&self.file, &self.pem) {
            (Some(file), None) => Ok(KeySource::File(file)),
            (None, Some(pem)) => Ok(KeySource::Pem(pem)),
            (None, None) => Err("it has neither file nor pem; write one of them".into()),
            (Some(_), Some(_)) => Err("it has both file and pem; remove one of them".into()),
        }
    }

    /// The file it is in, if it is in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.get_ref().as_path())
    }

    /// The key with its terms: its certificate's validity may be narrowed, not widened.
    ///
    /// # Errors
    /// What is wrong, and where: an algorithm that it cannot do, or no moment at which it counts.
    pub(crate) fn terms(&self, mut key: token::Key) -> Result<token::Key, Wrong> {
        let impossible = |text: &&Spanned<Text<Algorithm>>| !key.algorithms.contains(&text.get_ref().0);
        if let Some(text) = self.algorithms.iter().find(impossible) {
            let can: Vec<_> = key.algorithms.iter().map(|can| can.name()).collect();
            let (kind, algorithm, can) = (key.public.kind(), text.get_ref().0, can.join(", "));
            let what = format!("a key of {kind} cannot do {algorithm}; it can do {can}");
            return Err(Wrong::at(text.span(), what));
        }
        if !self.algorithms.is_empty() {
            key.algorithms = self.algorithms.iter().map(|text| text.get_ref().0).collect();
        }
        key.kid = self.kid.as_ref().map(|kid| kid.0.0.clone());
        let (from, to) = (self.not_before.map(|at| at.0), self.not_after.as_ref());
        key.not_before = key.not_before.into_iter().chain(from).max();
        key.not_after = key.not_after.into_iter().chain(to.map(|at| at.get_ref().0)).min();
        match (from, to) {
            (Some(from), Some(to)) if to.get_ref().0 < from => {
                Err(Wrong::at(to.span(), "not_after is before not_before; swap them"))
            }
            _ => Ok(key),
        }
    }
}
