//! `deteco check`, and the old `--dry-run`: what a configuration says, without a port or the network.

use std::fmt::{self, Display, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use daemon::GoDuration;
use daemon::log::utc;

use crate::rules::{CopyFact, JwksFact, KeyFact, Loaded, RulesOptions, ServiceFacts, load};
use crate::{Methods, Rule, Service};

/// How much of a fingerprint is shown, in hex digits.
const SHORT: usize = 16;

/// The flags of `deteco check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub conf: PathBuf,
    /// Where copies of fetched JWK sets are; without it the keys of URLs are not looked at
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// What a configuration says, and what to look at.
#[derive(Debug)]
pub struct Checked {
    /// For stdout: several lines, each with its end
    pub report: String,
    /// For stderr
    pub warnings: Vec<String>,
}

/// Reads all files and fetches nothing.
///
/// # Errors
/// What would hinder a start, as `FILE:LINE: what`.
pub fn check(args: &CheckArgs) -> Result<Checked> {
    let CheckArgs { conf, state_dir } = args.clone();
    let name = conf.display().to_string();
    let loaded = load(&RulesOptions { conf, freshness: None, cache_size: 0, state_dir })?;
    let report = Report { name: &name, loaded: &loaded, now: SystemTime::now() }.to_string();
    Ok(Checked { report, warnings: loaded.warnings })
}

struct Report<'a> {
    name: &'a str,
    loaded: &'a Loaded,
    now: SystemTime,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = &self.loaded.services;
        let keys = services.iter().map(|service| service.keys.len()).sum();
        writeln!(f, "{}: {}, {}", self.name, count(services.len(), "service"), count(keys, "key"))?;
        for facts in services {
            writeln!(f, "\n{}", facts.id)?;
            let Some(service) = self.loaded.ruleset.services.get(&facts.id) else { continue };
            self.keys(f, facts)?;
            rights(f, service)?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn keys(&self, f: &mut fmt::Formatter<'_>, facts: &ServiceFacts) -> fmt::Result {
        for fact in &facts.keys {
            writeln!(f, "  key     {}", key(fact, self.now)?)?;
        }
        facts.jwks.iter().try_for_each(|jwks| writeln!(f, "  jwks    {}", published(jwks)))
    }
}

/// `P-256 0123456789abcdef, kid "2026-a", until 2027-03-31T00:00:00.000Z, keys[0] report.pem`
fn key(KeyFact { from, key }: &KeyFact, now: SystemTime) -> Result<String, fmt::Error> {
    let fingerprint = key.public.fingerprint();
    let mut line = format!("{} {}", key.public.kind(), fingerprint.get(..SHORT).unwrap_or(fingerprint));
    if let Some(kid) = &key.kid {
        write!(line, ", kid {kid:?}")?;
    }
    if key.algorithms.len() < key.public.algorithms().count() {
        let names: Vec<&str> = key.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        write!(line, ", only {}", names.join(" "))?;
    }
    for (word, time) in [("from", key.not_before), ("until", key.not_after)] {
        if let Some(time) = time {
            write!(line, ", {word} {}", utc(time))?;
        }
    }
    let inactive = if key.is_valid_at(now) { "" } else { ", INACTIVE" };
    write!(line, "{inactive}, {from}")?;
    Ok(line)
}

fn published(jwks: &JwksFact) -> String {
    let mut line = jwks.url.clone();
    for (word, time) in [("every", jwks.refresh), ("for at most", jwks.max_stale)] {
        line.extend(time.map(|time| format!(", {word} {}", GoDuration(time))));
    }
    line + &match jwks.copy {
        None => ", not looked at".to_owned(),
        Some(CopyFact { keys, age }) => {
            let age = GoDuration(std::time::Duration::from_secs(age.as_secs()));
            format!(", not looked at; its copy has {} and is {age} old", count(keys, "key"))
        }
    }
}

fn rights(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    for Rule { prefix, methods } in &service.rules {
        let methods = match methods {
            Methods::Any => "any method".to_owned(),
            Methods::Listed(list) => {
                list.iter().map(|method| method.0.as_str()).collect::<Vec<_>>().join(" ")
            }
        };
        writeln!(f, "  path    {}, {methods}", prefix.as_str())?;
    }
    if let Some(scopes) = &service.scopes {
        writeln!(f, "  scopes  {}", scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "))?;
    }
    service
        .headers
        .iter()
        .try_for_each(|(name, claim)| writeln!(f, "  header  {name} is the claim {claim:?}"))
}

/// `1 key`, `2 keys`
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
