use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::declare::MOST_BY_DEFAULT;
use crate::sample::Sample;

/// A line as the agent reads it, strictly.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        assert!(is_name(name), "{line:?}");
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite(), "{line:?}");
        assert_eq!(epoch, "1795312345");
        assert!(values.insert(name.to_owned(), value).is_none(), "{name} is there twice");
    }
    values
}

/// `[-a-zA-Z0-9_.]+` without an empty part.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.split('.').all(|part| !part.is_empty() && part.chars().all(allowed))
}

fn at(sample: &Sample, set: Set, now: Instant) -> BTreeMap<String, f64> {
    parse(&sample.registry.mackerel_at(None, set, now, 1_795_312_345))
}

#[test]
fn nothing_false_is_said_at_the_start() {
    let sample = Sample::new();
    let start = Instant::now();
    sample.registry.tick(start);
    sample.opened.inc();
    let names: Vec<_> = at(&sample, Set::All, start + Duration::from_secs(29)).into_keys().collect();
    let expected = ["memory.rss", "process.fds", "sessions.deploys", "sessions.open"];
    assert_eq!(names, expected.map(|name| format!("sample-gate.{name}")), "what is known at once");
}

#[test]
fn the_values_are_those_of_the_traffic() {
    let sample = Sample::new();
    sample.sessions.set(12);
    sample.deploys.add(3);
    sample.keys.read_from(|| Some(2.5));
    let now = sample.tick(Instant::now(), 61, |sample| {
        sample.opened.add(3);
        sample.refused.with("token").inc();
        sample.refused.with("no rule").inc();
        sample.refused.with("no/rule").inc();
        sample.users.with("a.b").add(10);
        sample.setup.observe(Duration::from_millis(15));
    });
    let values = at(&sample, Set::All, now);
    // The counts of 60 seconds, over the 61 since the first copy.
    for (name, expected) in [
        ("sessions.open", 12.0),
        ("sessions.keys", 2.5),
        ("sessions.deploys", 3.0),
        ("rate.opened", 3.0 * 60.0 / 61.0),
        ("rate.refused", 3.0 * 60.0 / 61.0),
        ("rate.share", 50.0),
        ("refused.token", 60.0 / 61.0),
        ("refused.no_rule", 2.0 * 60.0 / 61.0),
        ("refused.other", 0.0),
        ("users.a_b", 600.0 / 61.0),
        ("setup.p50", 15.0),
    ] {
        let value = values[&format!("sample-gate.{name}")];
        assert!((value - expected).abs() < 1e-5, "{name}: {value}, not {expected}");
    }
    assert!(values.contains_key("sample-gate.process.cpu"));
    assert!(!values.contains_key("sample-gate.sessions.unset"));
    assert!(!values.contains_key("sample-gate.setup.all"), "of fewer than 20 there is no percentile");
    let default = at(&sample, Set::Default, now);
    assert!(default.len() <= MOST_BY_DEFAULT + 3 && default.keys().all(|name| values.contains_key(name)));
}

#[test]
fn an_idle_daemon_has_zeros_but_no_ratios_and_percentiles() {
    let sample = Sample::new();
    let values = {
        let now = sample.tick(Instant::now(), 70, |_| {});
        at(&sample, Set::All, now)
    };
    assert_eq!(values["sample-gate.rate.opened"], 0.0);
    for name in ["rate.share", "setup.p50"] {
        assert!(!values.contains_key(&format!("sample-gate.{name}")), "{name}");
    }
}

#[test]
fn every_line_has_its_graph() {
    let sample = Sample::new();
    sample.keys.read_from(|| Some(1.0));
    let now = sample.tick(Instant::now(), 61, |sample| {
        sample.users.with("x").inc();
        sample.setup.observe_value(1.0);
    });
    for set in [Set::Default, Set::All] {
        let graphs = sample.registry.graphs(None, set);
        let drawn: BTreeSet<String> = graphs["graphs"].as_object().unwrap().iter().flat_map(drawn).collect();
        for name in at(&sample, set, now).into_keys() {
            let any = format!("{}.*", name.rsplit_once('.').unwrap().0);
            assert!(drawn.contains(&name) || drawn.contains(&any), "{name} is not drawn: {drawn:?}");
        }
        assert_eq!(drawn.contains("sample-gate.users.*"), set == Set::All);
    }
}

/// The names of a graph's lines; the graph is as Mackerel wants it.
fn drawn((graph, definition): (&String, &Value)) -> Vec<String> {
    assert!(is_name(graph));
    assert!(!definition["label"].as_str().unwrap().is_empty());
    let units = ["integer", "float", "percentage", "milliseconds", "bytes", "bytes/sec"];
    assert!(units.contains(&definition["unit"].as_str().unwrap()));
    let metrics = definition["metrics"].as_array().unwrap();
    assert!(!metrics.is_empty());
    let name = |metric: &Value| {
        assert!(metric["label"].is_string() && metric["stacked"].is_boolean());
        let name = metric["name"].as_str().unwrap();
        assert!(name == "*" || is_name(name), "{name}");
        format!("{graph}.{name}")
    };
    metrics.iter().map(name).collect()
}

#[test]
fn an_instance_has_its_own_names() {
    let sample = Sample::new();
    let graphs = sample.registry.graphs(Some("gw 1"), Set::Default);
    assert_eq!(graphs["graphs"]["gw_1.rate"]["label"], "gw_1: A second");
    assert!(sample.registry.mackerel(Some("gw.1"), Set::Default).starts_with("gw_1.sessions.open\t0\t"));
}

#[test]
fn values_are_short_and_finite() {
    for (value, expected) in
        [(0.0, "0"), (12.0, "12"), (1.0 / 3.0, "0.333333"), (-2.5, "-2.5"), (1e15, "1000000000000000")]
    {
        assert_eq!(crate::Unit::Float.print(value), expected);
    }
    assert!(crate::Unit::Float.print(f64::MAX).parse::<f64>().unwrap().is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One invalid name would hold back every metric of the host.
    #[test]
    fn every_name_that_can_be_made_is_taken(instance: String, values: Vec<String>) {
        let sample = Sample::new();
        let now = sample.tick(Instant::now(), 31, |sample| {
            values.iter().for_each(|value| sample.users.with(value).inc());
            values.iter().for_each(|value| sample.refused.with(value).inc());
        });
        let text = sample.registry.mackerel_at(Some(&instance), Set::All, now, 1_795_312_345);
        prop_assert!(!parse(&text).is_empty());
        let graphs = sample.registry.graphs(Some(&instance), Set::All);
        prop_assert!(!graphs["graphs"].as_object().unwrap().iter().flat_map(drawn).collect::<Vec<_>>().is_empty());
    }
}
