//! `[[services]]` and its tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use daemon::Text;
use serde::Deserialize;
use toml::Spanned;

use super::Source;
use super::header::Headers;
use super::jwks::Jwks;
use super::key::Key;
use super::place::Wrong;
use super::text::{Full, Id, Scope};
use crate::{Method, Prefix};

/// Who may come, how it proves itself, and what it may see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// The `sub` of its tokens.
    pub(crate) id: Spanned<Text<Id>>,
    /// What it may see with any method.
    #[serde(default)]
    pub(crate) paths: Full<Spanned<Text<Covered>>>,
    /// What it may see with some methods.
    #[serde(default, rename = "rule")]
    pub(crate) rules: Full<Spanned<Rule>>,
    /// What it may see by the scopes that locations declare.
    #[serde(default)]
    pub(crate) scopes: Full<Text<Scope>>,
    /// PEM public keys or certificates.
    #[serde(default)]
    pub(crate) public_keys: Full<Spanned<String>>,
    /// Keys with terms.
    #[serde(default)]
    pub(crate) keys: Full<Spanned<Key>>,
    /// A JWK set.
    pub(crate) jwks: Option<Spanned<Jwks>>,
    /// Claims that become headers of the answer.
    #[serde(default)]
    pub(crate) headers: Headers,
}

/// `[[services.rule]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// It, and what is below it.
    pub(crate) path: Spanned<Text<Covered>>,
    /// How it may be asked for.
    #[serde(default)]
    pub(crate) methods: Full<Text<Method>>,
}

/// A path of a service.
#[derive(Debug)]
pub(crate) struct Covered {
    /// As it is compared.
    pub(crate) prefix: Prefix,
    /// As it is written.
    pub(crate) written: String,
}

/// `path1` is `/path1`, and `/path1/` too.
impl FromStr for Covered {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the path is empty; write / for everything".to_owned());
        }
        let rooted = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
        let dropped = rooted.strip_suffix('/').filter(|rest| !rest.is_empty() && !rest.ends_with('/'));
        let prefix =
            dropped.unwrap_or(&rooted).parse().map_err(|error: crate::PrefixError| error.to_string())?;
        Ok(Covered { prefix, written: text.to_owned() })
    }
}

impl Service {
    /// `services[2] "report_batch"`, for errors.
    pub(crate) fn name(&self, index: usize) -> String {
        format!("services[{index}] {:?}", self.id())
    }

    pub(crate) fn id(&self) -> &str {
        &self.id.get_ref().0.0
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let keys = self.keys.iter().filter_map(|key| key.get_ref().file());
        let jwks = self.jwks.iter().map(Spanned::get_ref).flat_map(Jwks::paths);
        keys.chain(jwks.map(|path| path.get_ref().as_path())).map(Path::to_owned).collect()
    }

    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        let keys = self.keys.0.iter_mut().filter_map(|key| key.get_mut().file.as_mut());
        let jwks = self.jwks.iter_mut().map(Spanned::get_mut).flat_map(Jwks::paths_mut);
        keys.chain(jwks)
    }
}

/// What no type says of services.
pub(super) fn check(services: &[Spanned<Service>], source: &Source) -> Result<()> {
    let mut lines = HashMap::new();
    for (index, service) in services.iter().enumerate() {
        let (whole, service) = (service.span(), service.get_ref());
        let line = source.line(&service.id.span());
        if let Some(first) = lines.insert(service.id(), line) {
            let what =
                format!("the id {:?} is already in line {first}; give each service its own", service.id());
            return Err(source.wrong(service.id.span(), what));
        }
        check_one(service).map_err(|wrong| source.error(wrong.within(&service.name(index), whole)))?;
    }
    Ok(())
}

fn check_one(service: &Service) -> Result<(), Wrong> {
    if service.paths.is_empty() && service.rules.is_empty() && service.scopes.is_empty() {
        return Err("it could see nothing; add paths, [[services.rule]] or scopes".into());
    }
    if service.public_keys.is_empty() && service.keys.is_empty() && service.jwks.is_none() {
        return Err("it has no keys; add public_keys, [[services.keys]] or [services.jwks]".into());
    }
    for (index, rule) in service.rules.iter().enumerate() {
        if rule.get_ref().methods.is_empty() {
            let what = format!("rule[{index}]: it has no methods; for any method add its path to paths");
            return Err(Wrong::at(rule.span(), what));
        }
    }
    for (index, key) in service.keys.iter().enumerate() {
        key.get_ref().source().map_err(|wrong| wrong.within(&format!("keys[{index}]"), key.span()))?;
    }
    let Some(jwks) = &service.jwks else { return Ok(()) };
    jwks.get_ref().place().map(|_| ()).map_err(|wrong| wrong.within("jwks", jwks.span()))
}
