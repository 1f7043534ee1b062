//! The graphs of Mackerel.

use monitor::{Declare, Line, Unit};

use super::Metrics;

/// Seconds in a day.
const DAY: f64 = 86_400.0;

impl Metrics {
    pub(super) fn graphs(&self, declare: &mut Declare) {
        self.decisions(declare);
        self.refusals(declare);
        self.keys(declare);
        self.connections(declare);
        self.sets(declare);
    }

    fn decisions(&self, declare: &mut Declare) {
        let [ok, unauthorized, forbidden] = [&self.allowed, &self.unauthorized.all, &self.forbidden.all];
        declare.graph(
            "decisions",
            "Decisions a second",
            Unit::Float,
            [
                Line::rate("ok", "200, allowed", ok).stacked().by_default(),
                Line::rate("401", "401, not known", unauthorized).stacked().by_default(),
                Line::rate("403", "403, not allowed", forbidden).stacked().by_default(),
            ],
        );
        // Mackerel has no unit below the millisecond.
        let percentile =
            |name, label, quantile| Line::percentile(name, label, &self.took, quantile).times(1e6);
        declare.graph(
            "decision_us",
            "A decision, microseconds",
            Unit::Float,
            [percentile("p50", "50 %", 0.5).by_default(), percentile("p99", "99 %", 0.99).by_default()],
        );
        declare.graph(
            "cache",
            "Tokens found in the cache",
            Unit::Percentage,
            [Line::share("hits", "of those looked up", &self.hits, &self.misses).by_default()],
        );
        declare.graph("cached", "The cache", Unit::Integer, [Line::now("tokens", "tokens", &self.cached)]);
    }

    fn refusals(&self, declare: &mut Declare) {
        declare.graph(
            "unauthorized",
            "401 a second, by reason",
            Unit::Float,
            [Line::each(&self.unauthorized.by_reason).stacked()],
        );
        declare.graph(
            "forbidden",
            "403 a second, by reason",
            Unit::Float,
            [Line::each(&self.forbidden.by_reason).stacked()],
        );
    }

    fn keys(&self, declare: &mut Declare) {
        declare.graph(
            "keys",
            "Keys",
            Unit::Integer,
            [
                Line::now("loaded", "loaded", &self.keys).by_default(),
                Line::now("inactive", "ended or to come", &self.inactive),
                Line::now("services", "services", &self.services),
            ],
        );
        declare.graph(
            "key_end",
            "Days until the first key ends",
            Unit::Float,
            [Line::now("days", "days", &self.first_end).times(1.0 / DAY).by_default()],
        );
        declare.graph(
            "config",
            "What the files say is in force: 1",
            Unit::Integer,
            [
                Line::now("reload_ok", "configuration", &self.reload_ok).by_default(),
                Line::now("deny_list_ok", "deny list", &self.deny_list_ok),
            ],
        );
    }

    fn connections(&self, declare: &mut Declare) {
        declare.graph(
            "connections",
            "Connections",
            Unit::Integer,
            [Line::now("open", "open now", &self.connections)],
        );
        declare.graph(
            "connection_rate",
            "Connections a second",
            Unit::Float,
            [
                Line::rate("accepted", "accepted", &self.accepted),
                Line::rate("crowded", "came when there were too many", &self.crowded),
                Line::rate("unparsed", "no HTTP", &self.unparsed),
                Line::rate("elsewhere", "questions beside the auth endpoint", &self.elsewhere),
            ],
        );
    }

    fn sets(&self, declare: &mut Declare) {
        declare.graph(
            "jwks",
            "JWK sets",
            Unit::Integer,
            [
                Line::now("fetched", "fetched", &self.sets),
                Line::now("failing", "whose last fetch failed", &self.sets_failing),
                Line::now("without_keys", "without a key", &self.sets_without_keys),
            ],
        );
        declare.graph(
            "jwks_age",
            "Age of the oldest JWK set, hours",
            Unit::Float,
            [Line::now("hours", "hours", &self.sets_age).times(1.0 / 3600.0)],
        );
        declare.graph(
            "jwks_fetches",
            "Fetches of JWK sets a second",
            Unit::Float,
            [Line::each(&self.fetches)],
        );
    }
}
