//! What is measured, each thing once; and the graphs.
//!
//! A decision from the cache takes half a microsecond, so all that it costs here are a few relaxed additions:
//! handles are fetched at the start, and what is known anyway is read when somebody asks.

mod graphs;
mod readings;
mod refusals;

use std::time::Duration;

use monitor::{Counter, Declare, Family, Gauge, Histogram, Program, Reading, Registry};

use crate::{Decision, Reason, Status};
use refusals::Refusals;

/// Who is monitored.
pub const PROGRAM: Program = Program { name: "deteco", version: env!("CARGO_PKG_VERSION") };

/// Upper bounds for a decision, in seconds: half a microsecond if the token is known, fifty for a signature.
const DECISION: &[f64] = &[
    0.000_000_1,
    0.000_000_2,
    0.000_000_3,
    0.000_000_5,
    0.000_000_75,
    0.000_001,
    0.000_001_5,
    0.000_002,
    0.000_003,
    0.000_005,
    0.000_01,
    0.000_02,
    0.000_03,
    0.000_05,
    0.000_075,
    0.000_1,
    0.000_15,
    0.000_2,
    0.000_5,
    0.001,
    0.005,
    0.01,
    0.1,
];

/// How something that is tried again and again went.
const OUTCOMES: &[&str] = &["succeeded", "failed"];

/// The handles. Clones count the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) crowded: Counter,
    pub(crate) unparsed: Counter,
    pub(crate) elsewhere: Counter,
    allowed: Counter,
    unauthorized: Refusals,
    forbidden: Refusals,
    took: Histogram,
    hits: Counter,
    misses: Counter,
    cached: Reading,
    services: Reading,
    keys: Reading,
    inactive: Reading,
    first_end: Reading,
    reload_ok: Reading,
    reloads: Family<Counter>,
    deny_list_ok: Reading,
    sets: Reading,
    sets_failing: Reading,
    sets_without_keys: Reading,
    sets_age: Reading,
    fetches: Family<Counter>,
}

impl Metrics {
    /// The handles, and the registry that they are in.
    pub fn declare() -> (Self, Registry) {
        let mut declare = Declare::new(PROGRAM);
        let metrics = Self::declared(&mut declare);
        metrics.graphs(&mut declare);
        (metrics, declare.done())
    }

    fn declared(declare: &mut Declare) -> Self {
        let decisions = declare.counters("decisions", "Answers to nginx", "status", &["200", "401", "403"]);
        Self {
            connections: declare.gauge("connections", "Connections that are open"),
            accepted: declare.counter("connections_accepted", "Connections that were accepted"),
            crowded: declare.counter("connections_crowded", "Connections that came when there were too many"),
            unparsed: declare.counter("requests_unparsed", "Requests that are no HTTP: 400, 414 or 431"),
            elsewhere: declare
                .counter("requests_elsewhere", "Questions of nginx beside the auth endpoint: 404"),
            allowed: decisions.with("200"),
            unauthorized: Refusals::unauthorized(declare, decisions.with("401")),
            forbidden: Refusals::forbidden(declare, decisions.with("403")),
            took: declare.histogram("decision_seconds", "From a whole question to its decision", DECISION),
            hits: declare.counter("cache_hits", "Tokens that were found in the cache"),
            misses: declare.counter("cache_misses", "Tokens that were looked up and not found"),
            cached: declare.reading("cached_tokens", "Tokens that are in the cache"),
            services: declare.reading("services", "Services that are configured"),
            keys: declare.reading("keys", "Keys that are loaded, of all services"),
            inactive: declare.reading("keys_inactive", "Keys that do not count now: ended, or to come"),
            first_end: declare.reading("first_key_end_seconds", "Time until the first key ends that counts"),
            reload_ok: declare.reading("config_reload_ok", "1 if what the files say is in force"),
            reloads: declare.counters("config_reloads", "Readings of the files again", "outcome", OUTCOMES),
            deny_list_ok: declare.reading("deny_list_ok", "1 if the deny list is the one of its file"),
            sets: declare.reading("jwks", "JWK sets that are fetched"),
            sets_failing: declare.reading("jwks_failing", "JWK sets whose last fetch failed"),
            sets_without_keys: declare.reading("jwks_without_keys", "JWK sets that have no key to use"),
            sets_age: declare.reading("jwks_age_seconds", "Since the JWK set was fetched that is the oldest"),
            fetches: declare.counters("jwks_fetches", "Fetches of JWK sets", "outcome", OUTCOMES),
        }
    }

    /// A decision, which took so long.
    pub(crate) fn decided(&self, decision: &Decision<'_>, took: Duration) {
        self.took.observe(took);
        match (decision.cached, decision.token_hash) {
            (true, _) => self.hits.inc(),
            (false, Some(_)) => self.misses.inc(),
            (false, None) => {}
        }
        match &decision.outcome {
            Ok(_) => self.allowed.inc(),
            Err(reason) => self.refused(*reason),
        }
    }

    fn refused(&self, reason: Reason) {
        match reason.status() {
            Status::Forbidden => self.forbidden.count(reason),
            Status::Allowed | Status::Unauthorized => self.unauthorized.count(reason),
        }
    }
}

#[cfg(test)]
mod tests;
