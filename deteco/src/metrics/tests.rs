use std::collections::BTreeSet;

use monitor::{Exposition, Set};
use token::Refused;

use super::*;
use crate::test;

fn decision(outcome: Result<(), Reason>, cached: bool, token: bool) -> Decision<'static> {
    Decision {
        outcome: outcome.map(|()| test::identity(1_795_000_000, 1_795_000_100)),
        identity: None,
        kid: None,
        token_hash: token.then_some([0; 8]),
        path: None,
        cached,
        refetch: None,
    }
}

/// The value of a sample, as `/metrics` has it.
fn sample(registry: &Registry, name: &str) -> f64 {
    let text = registry.expose(Exposition::Prometheus);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("{name} is not in {text}"))
}

#[test]
fn a_decision_counts_once_in_each_sum() {
    let (metrics, registry) = Metrics::declare();
    for (outcome, cached, token) in [
        (Ok(()), true, true),
        (Ok(()), true, true),
        (Ok(()), false, true),
        (Err(Reason::Path), true, true),
        (Err(Reason::Token(Refused::NoAuthorization)), false, false),
        (Err(Reason::Token(Refused::NotYet)), false, true),
        (Err(Reason::Token(Refused::TooDeep)), false, true),
    ] {
        metrics.decided(&decision(outcome, cached, token), Duration::from_nanos(400));
    }
    for (name, expected) in [
        ("deteco_decisions_total{status=\"200\"}", 3.0),
        ("deteco_decisions_total{status=\"401\"}", 3.0),
        ("deteco_decisions_total{status=\"403\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"no_authorization\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"future\"}", 1.0),
        ("deteco_unauthorized_total{reason=\"malformed\"}", 1.0),
        ("deteco_forbidden_total{reason=\"path\"}", 1.0),
        ("deteco_cache_hits_total", 3.0),
        ("deteco_cache_misses_total", 3.0),
        ("deteco_decision_seconds_count", 7.0),
    ] {
        assert!((sample(&registry, name) - expected).abs() < f64::EPSILON, "{name}");
    }
}

#[test]
fn the_default_set_is_the_row_of_the_design() {
    let (_, registry) = Metrics::declare();
    let names = |set| -> BTreeSet<String> {
        let graphs = registry.graphs(None, set);
        let of = |(graph, definition): (&String, &serde_json::Value)| {
            let lines = definition["metrics"].as_array().unwrap().iter();
            let name = |line: &serde_json::Value| format!("{graph}.{}", line["name"].as_str().unwrap());
            lines.map(name).collect::<Vec<_>>()
        };
        graphs["graphs"].as_object().unwrap().iter().flat_map(of).collect()
    };
    let row = [
        "deteco.cache.hits",
        "deteco.config.reload_ok",
        "deteco.decision_us.p50",
        "deteco.decision_us.p99",
        "deteco.decisions.401",
        "deteco.decisions.403",
        "deteco.decisions.ok",
        "deteco.key_end.days",
        "deteco.keys.loaded",
        "deteco.memory.rss",
        "deteco.process.cpu",
        "deteco.process.fds",
    ];
    assert_eq!(names(Set::Default), row.map(str::to_owned).into());
    assert!(names(Set::All).is_superset(&names(Set::Default)));
    assert!(names(Set::All).iter().all(|name| !name.contains('*')), "idle things keep their names");
}
