//! What deteco says of itself beside its metrics: `/status`, and what `health` judges by.

mod attention;

use std::sync::Arc;
use std::time::SystemTime;

use daemon::log::utc;
use monitor::{MOST_SESSIONS, Question, Reload, Report};
use serde_json::{Map, Value, json};

use crate::Service;
use crate::gate::Gate;
use crate::rules::{Facts, SetFact, Upkeep};

/// The one who tells it.
pub(crate) struct Told {
    pub(crate) gate: Arc<Gate>,
    pub(crate) upkeep: Upkeep,
}

impl Report for Told {
    fn unready(&self) -> Option<&'static str> {
        self.gate.ready().err().map(|why| why.text().trim_end())
    }

    fn reload(&self) -> Option<Reload> {
        Some(self.upkeep.reloads.as_ref().into())
    }

    fn limits(&self) -> Map<String, Value> {
        object([
            ("max_connections", json!(self.gate.config.max_connections)),
            ("cache_size", json!(self.upkeep.facts.load().cache_size)),
        ])
    }

    fn status(&self, question: Question) -> Value {
        let (facts, now) = (self.upkeep.facts.load(), SystemTime::now());
        let mut own = object([
            ("services", json!(facts.services)),
            ("keys", keys(&facts, now)),
            ("jwks", facts.sets.iter().take(MOST_SESSIONS).map(set).collect()),
            ("deny_list", json!({ "stale": self.upkeep.deny_list.is_stale() })),
            ("cached_tokens", json!(self.gate.rules.load().cache.len())),
            ("connections", json!(self.gate.metrics.connections.value())),
            ("auth_endpoint", json!(self.gate.config.auth_path.as_str())),
        ]);
        if question.sessions {
            own.insert("service_list".to_owned(), self.services(now));
        }
        Value::Object(own)
    }

    fn warnings(&self) -> Vec<String> {
        let (facts, rules) = (self.upkeep.facts.load(), self.gate.rules.load());
        let mut warnings = attention::ending(&rules, SystemTime::now());
        let failing = facts.sets.iter().filter(|set| set.cache.state().last_error.is_some());
        warnings.extend(attention::failing(failing));
        warnings.extend(self.upkeep.deny_list.is_stale().then(|| attention::STALE_DENY_LIST.to_owned()));
        warnings
    }

    fn critical(&self) -> Vec<String> {
        attention::keyless(&self.gate.rules.load(), SystemTime::now())
    }

    fn metadata(&self) -> Map<String, Value> {
        let facts = self.upkeep.facts.load();
        let digest: String = facts.configuration.iter().map(|byte| format!("{byte:02x}")).collect();
        object([
            ("configuration", json!(format!("sha256:{digest}"))),
            ("services", json!(facts.services)),
            ("jwks", facts.sets.iter().map(|set| set.url.as_str()).collect()),
        ])
    }
}

impl Told {
    /// The first of them, by name.
    fn services(&self, now: SystemTime) -> Value {
        let rules = self.gate.rules.load();
        let mut services: Vec<&Service> = rules.services.values().map(AsRef::as_ref).collect();
        services.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        services.into_iter().take(MOST_SESSIONS).map(|service| self::service(service, now)).collect()
    }
}

fn keys(facts: &Facts, now: SystemTime) -> Value {
    json!({
        "loaded": facts.keys,
        "inactive": facts.inactive(now),
        "first_end": facts.first_end(now).map(|end| utc(end).to_string()),
    })
}

fn set(set: &SetFact) -> Value {
    let state = set.cache.state();
    json!({
        "url": set.url,
        "service": set.service,
        "services": set.services,
        "keys": state.keys,
        "skipped": state.skipped,
        "age_seconds": state.age.map(|age| age.as_secs()),
        "error": state.last_error,
    })
}

fn service(service: &Service, now: SystemTime) -> Value {
    let keys = service.keys.keys();
    let ends = keys.iter().filter_map(|key| key.not_after).filter(|end| *end >= now);
    json!({
        "id": service.id,
        "keys": keys.len(),
        "active": keys.iter().filter(|key| key.is_valid_at(now)).count(),
        "first_end": ends.min().map(|end| utc(end).to_string()),
        "rules": service.rules.len(),
        "scopes": service.scopes.as_ref().map_or(0, std::collections::BTreeSet::len),
    })
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
