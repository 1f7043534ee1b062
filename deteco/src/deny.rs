//! The deny list: tokens that are refused though they verify.
//!
//! ```text
//! # the laptop that was stolen
//! jti 5f0c…                              one token, by its id
//! sha256 9f86d081…                       one token, by the SHA-256 of its first two segments and the dot
//! sub report_batch                       all of a service
//! kid 2026-a                             all of a key
//! iat-before 2026-11-01T00:00:00Z        all that were issued earlier
//! iat-before 2026-11-01T00:00:00Z sub report_batch
//! ```
//!
//! What comes after ` #` is a comment too, on any line.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::time::SystemTime;

use crate::{Identity, instant};

/// What is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    ids: HashSet<String>,
    hashes: HashSet<[u8; 32]>,
    subjects: HashSet<String>,
    kids: HashSet<String>,
    /// For everybody
    before: Option<SystemTime>,
    before_of: HashMap<String, SystemTime>,
}

/// What is wrong with a deny list, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DenyListError {
    /// From 1 on
    pub line: usize,
    /// What, and the fix
    pub what: String,
}

impl DenyList {
    /// Whether a token is refused. One that has no `kid` is, if the key that verified it has the name.
    pub fn denies(&self, identity: &Identity) -> bool {
        let verified = &identity.verified;
        let before = |limit: &SystemTime| verified.issued < *limit;
        self.subjects.contains(&verified.subject)
            || self.hashes.contains(&identity.signing_hash)
            || identity.jti.as_ref().is_some_and(|jti| self.ids.contains(jti))
            || self.before.as_ref().is_some_and(before)
            || self.before_of.get(&verified.subject).is_some_and(before)
            || !self.kids.is_empty() && self.denies_key_of(identity)
    }

    fn denies_key_of(&self, identity: &Identity) -> bool {
        let verified = &identity.verified;
        let keys = identity.service.keys.keys().iter();
        let same = keys.filter(|key| key.public.fingerprint() == verified.key_fingerprint);
        let mut kids = same.filter_map(|key| key.kid.as_ref()).chain(&verified.kid);
        kids.any(|kid| self.kids.contains(kid))
    }

    /// The services that it names, once or more, in no order.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter().chain(self.before_of.keys()).map(String::as_str)
    }

    /// The keys that it names, in no order.
    pub(crate) fn kids(&self) -> impl Iterator<Item = &str> {
        self.kids.iter().map(String::as_str)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        let sets = [&self.ids, &self.subjects, &self.kids];
        let named: usize = sets.iter().map(|set| set.len()).sum();
        named + self.hashes.len() + self.before_of.len() + usize::from(self.before.is_some())
    }

    /// Whether nothing is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, entry: &str) -> Result<(), String> {
        let (kind, rest) = entry.split_once([' ', '\t']).unwrap_or((entry, ""));
        let value = || match rest.trim() {
            "" => Err(format!("nothing comes after {kind:?}")),
            value => Ok(value.to_owned()),
        };
        match kind {
            "jti" => drop(self.ids.insert(value()?)),
            "sub" => drop(self.subjects.insert(value()?)),
            "kid" => drop(self.kids.insert(value()?)),
            "sha256" => drop(self.hashes.insert(hash(&value()?)?)),
            "iat-before" => self.add_before(&value()?)?,
            _ => return Err(format!("{kind:?} is none of jti, sub, kid, sha256 and iat-before")),
        }
        Ok(())
    }

    /// Of several limits the latest counts: each line refuses by itself.
    fn add_before(&mut self, value: &str) -> Result<(), String> {
        let (time, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        let limit = instant::parse(time)?;
        let of = match rest.trim().split_once([' ', '\t']) {
            None if rest.trim().is_empty() => None,
            Some(("sub", subject)) => Some(subject.trim()),
            _ => return Err(format!("{:?} comes after the time; only `sub X` may", rest.trim())),
        };
        match of {
            None => self.before = self.before.max(Some(limit)),
            Some(subject) => {
                let held = self.before_of.entry(subject.to_owned()).or_insert(limit);
                *held = limit.max(*held);
            }
        }
        Ok(())
    }
}

impl FromStr for DenyList {
    type Err = DenyListError;

    fn from_str(text: &str) -> Result<Self, DenyListError> {
        let mut list = DenyList::default();
        for (line, text) in (1..).zip(text.lines()) {
            let entry = without_comment(text).trim();
            if !entry.is_empty() {
                list.add(entry).map_err(|what| DenyListError { line, what })?;
            }
        }
        Ok(list)
    }
}

/// A `#` within a word is part of it.
fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(at, _)| at);
    let mut comments = starts.filter(|at| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    comments.next().map_or(line, |at| &line[..at])
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    let digit = |text: &[u8]| char::from(text[0]).to_digit(16).zip(char::from(text[1]).to_digit(16));
    let byte = |text| digit(text).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks_exact(2).map(byte).collect();
    bytes
        .filter(|_| text.len() == 64)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "a sha256 is 64 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests;
