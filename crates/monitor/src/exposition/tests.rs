//! A strict parser of both forms, as promtool would be.

use std::collections::BTreeMap;

use super::*;
use crate::sample::Sample;

/// A family of samples.
#[derive(Debug, Default)]
struct Parsed {
    kind: String,
    unit: Option<String>,
    /// With their labels, in order.
    samples: Vec<(String, Labels, f64)>,
}

type Labels = Vec<(String, String)>;

fn parse(text: &str, form: Exposition) -> BTreeMap<String, Parsed> {
    let mut families: BTreeMap<String, Parsed> = BTreeMap::new();
    let (mut current, mut ended) = (String::new(), false);
    let mut helped = String::new();
    for line in text.lines() {
        assert!(!ended, "{line:?} comes after the end");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && is_name(name), "{line:?}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "HELP comes before TYPE");
            let parsed = Parsed { kind: kind.to_owned(), ..Parsed::default() };
            assert!(families.insert(name.to_owned(), parsed).is_none(), "{name} is there twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(
                form == Exposition::OpenMetrics && name == current && name.ends_with(&format!("_{unit}"))
            );
            families.get_mut(name).unwrap().unit = Some(unit.to_owned());
        } else if line == "# EOF" {
            assert_eq!(form, Exposition::OpenMetrics);
            ended = true;
        } else {
            let sample = sample(line);
            let family = families.get_mut(&current).unwrap();
            assert!(
                belongs(&sample.0, &current, &family.kind, form),
                "{line:?} is no {} {current}",
                family.kind
            );
            assert!(
                !family.samples.iter().any(|known| (&known.0, &known.1) == (&sample.0, &sample.1)),
                "{line:?}"
            );
            family.samples.push(sample);
        }
    }
    assert_eq!(ended, form == Exposition::OpenMetrics);
    families
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn belongs(sample: &str, family: &str, kind: &str, form: Exposition) -> bool {
    let Some(suffix) = sample.strip_prefix(family) else { return false };
    let suffixes: &[&str] = match (kind, form) {
        ("counter", Exposition::OpenMetrics) => &["_total"],
        ("info", Exposition::OpenMetrics) => &["_info"],
        ("counter", Exposition::Prometheus) => return suffix.is_empty() && family.ends_with("_total"),
        ("gauge", _) => &[""],
        ("histogram", _) => &["_sum", "_count", "_bucket"],
        _ => &[],
    };
    suffixes.contains(&suffix)
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line:?}");
    let mut labels = Vec::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inner.split_once("=\"").unwrap();
            assert!(is_name(label), "{line:?}");
            let (value, after) = quoted(after);
            labels.push((label.to_owned(), value));
            match after.strip_prefix(',') {
                Some(more) => inner = more,
                None => break rest = after.strip_prefix('}').unwrap(),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    // Ours are all finite.
    let value = value.parse::<f64>().ok().filter(|value| value.is_finite());
    (name.to_owned(), labels, value.unwrap_or_else(|| panic!("{line:?}")))
}

/// The value up to the quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (true, 'n') => value.push('\n'),
            (true, '\\' | '"') => value.push(c),
            (true, other) => panic!("\\{other} is no escape"),
            (false, '"') => return (value, &text[at + 1..]),
            (false, '\\') => {}
            (false, c) => value.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    panic!("{text:?} does not end");
}

fn busy() -> Sample {
    let sample = Sample::new();
    sample.opened.add(7);
    sample.refused.with("token").add(2);
    sample.users.with("a \"b\"\\\n").add(100);
    sample.keys.read_from(|| Some(0.5));
    for value in [0.000_05, 0.02, 3.0, 1e6] {
        sample.setup.observe_value(value);
    }
    sample
}

#[test]
fn both_forms_are_parsed_strictly_and_say_the_same() {
    let sample = busy();
    let open = parse(&sample.registry.expose(Exposition::OpenMetrics), Exposition::OpenMetrics);
    let older = parse(&sample.registry.expose(Exposition::Prometheus), Exposition::Prometheus);
    assert_eq!(open.len(), older.len());
    assert_eq!(open["sample_gate_setup_seconds"].unit.as_deref(), Some("seconds"));
    assert_eq!(open["sample_gate_engine"].kind, "info");
    assert_eq!(older["sample_gate_engine_info"].kind, "gauge");
    for (name, kind, value) in [
        ("sample_gate_sessions", "gauge", 0.0),
        ("sample_gate_sessions_opened_total", "counter", 7.0),
        ("sample_gate_refused_total", "counter", 2.0),
        ("sample_gate_users_bytes_total", "counter", 100.0),
        ("sample_gate_keys", "gauge", 0.5),
        ("sample_gate_build_info", "gauge", 1.0),
        ("sample_gate_engine_info", "gauge", 1.0),
    ] {
        let family = &older[name];
        assert_eq!((family.kind.as_str(), family.samples[0].2), (kind, value), "{name}");
    }
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"] {
        assert!(older[&format!("process_{name}")].samples[0].2 > 0.0, "{name}");
    }
    assert_eq!(older["sample_gate_users_bytes_total"].samples[0].1, [("user".into(), "a \"b\"\\\n".into())]);
    assert!(!older.contains_key("sample_gate_unset"), "what has no value is not there");
}

#[test]
fn buckets_are_cumulative_and_end_with_infinity() {
    let sample = busy();
    let families = parse(&sample.registry.expose(Exposition::Prometheus), Exposition::Prometheus);
    let family = &families["sample_gate_setup_seconds"];
    let buckets: Vec<_> = family.samples.iter().filter(|sample| sample.0.ends_with("_bucket")).collect();
    let bound = |labels: &Labels| match labels[0].1.as_str() {
        "+Inf" => f64::INFINITY,
        bound => bound.parse::<f64>().ok().filter(|bound| bound.is_finite()).unwrap(),
    };
    for two in buckets.windows(2) {
        assert!(bound(&two[0].1) < bound(&two[1].1) && two[0].2 <= two[1].2, "{two:?}");
    }
    let last = buckets.last().unwrap();
    assert_eq!((bound(&last.1), last.2), (f64::INFINITY, 4.0));
    let one = |suffix: &str| family.samples.iter().find(|sample| sample.0.ends_with(suffix)).unwrap().2;
    assert_eq!((one("_count"), buckets[0].2), (4.0, 1.0));
    assert!((one("_sum") - 1_000_003.020_05).abs() < 1e-3);
}

#[test]
fn the_form_is_what_accept_prefers() {
    let open = "application/openmetrics-text";
    for (accept, expected) in [
        (String::new(), Exposition::Prometheus),
        ("*/*".to_owned(), Exposition::Prometheus),
        ("text/html,*/*;q=0.8".to_owned(), Exposition::Prometheus),
        (open.to_owned(), Exposition::OpenMetrics),
        (format!("{open};version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"), Exposition::OpenMetrics),
        (format!("{open}; version=1.0.0; q=0.3, text/plain; q=0.5"), Exposition::Prometheus),
        (format!("{open};q=0"), Exposition::Prometheus),
        (format!("{open};q=x"), Exposition::Prometheus),
    ] {
        assert_eq!(Exposition::accepted(&accept), expected, "{accept}");
    }
}

/// What was observed costs nothing at collection.
#[test]
fn a_collection_does_not_grow_with_what_is_counted() {
    let sample = busy();
    let few = sample.registry.expose(Exposition::Prometheus).lines().count();
    let sessions: Vec<_> = (0..10_000).map(|_| sample.sessions.hold()).collect();
    for number in 0..10_000u32 {
        sample.setup.observe_value(f64::from(number) / 1000.0);
        sample.users.with(&number.to_string()).inc();
    }
    let text = sample.registry.expose(Exposition::Prometheus);
    assert!(text.lines().count() <= few + crate::MOST_VALUES, "{text}");
    assert!(sample.registry.collection_took() < std::time::Duration::from_millis(100));
    drop(sessions);
}
