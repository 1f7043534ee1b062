//! What packaging/ offers to agents and dashboards, used as it is.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use e2e::programs::{output_of, workspace};
use e2e::status::{drawn, printed};
use serde_json::Value;

use super::everything::{DAEMONS, Host};

/// mackerel-agent ends what takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a command of a snippet as the agent does.
fn run(host: &Host, entry: &toml::Value, meta: &str) -> Output {
    let words = entry["command"].as_array().expect("a list of words needs no shell");
    let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
    let begun = Instant::now();
    let output = host.installed(&words).env("MACKEREL_AGENT_PLUGIN_META", meta).output().unwrap();
    assert!(begun.elapsed() < LIMIT, "{words:?} took {:?}", begun.elapsed());
    let timeout = entry.get("timeout_seconds").and_then(toml::Value::as_integer);
    assert!(timeout.is_none_or(|seconds| seconds < 30), "{words:?}: the agent's own limit");
    output
}

fn entries(conf: &toml::Table, kind: &str) -> Vec<toml::Value> {
    conf["plugin"][kind].as_table().unwrap().values().cloned().collect()
}

#[test]
fn the_agents_snippets_work_as_they_are() {
    let host = Host::start();
    let dir = workspace().join("packaging/mackerel");
    let files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), DAEMONS.len() + 1, "one for each program");
    for file in files {
        let conf: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for plugin in entries(&conf, "metrics") {
            let values = run(&host, &plugin, "");
            assert!(values.status.success(), "{file:?}: {values:?}");
            let names: BTreeSet<_> = printed(&values).into_keys().collect();
            let text = String::from_utf8(run(&host, &plugin, "1").stdout).unwrap();
            let graphs = text.strip_prefix("# mackerel-agent-plugin\n").expect("the agent's first line");
            let lines: BTreeSet<_> = drawn(&serde_json::from_str(graphs).unwrap()).into_iter().collect();
            assert!(!names.is_empty() && names.is_subset(&lines), "{file:?}: {names:?} {lines:?}");
            assert!((6..=15).contains(&lines.len()), "{file:?}: twelve and the process's three: {lines:?}");
        }
        for check in entries(&conf, "checks") {
            let said = run(&host, &check, "");
            assert!(said.status.code().is_some_and(|code| code <= 3), "{file:?}: {said:?}");
            let text = String::from_utf8(said.stdout).unwrap();
            assert!(text.lines().count() == 1 && text.len() <= 1024, "{file:?}: {text:?}");
        }
        for metadata in entries(&conf, "metadata") {
            let [first, again] = [(); 2].map(|()| run(&host, &metadata, "").stdout);
            assert!(serde_json::from_slice::<Value>(&first).unwrap().is_object(), "{file:?}");
            assert_eq!(first, again, "it is sent when it differs");
        }
    }
}

#[test]
fn one_plugin_serves_all_programs_of_a_host() {
    let host = Host::start();
    let mut plugin = host.installed(&["deteco", "mackerel", "--run-dir", "/run/wsgate"]);
    let names: BTreeSet<_> = printed(&plugin.output().unwrap()).into_keys().collect();
    for name in DAEMONS {
        assert!(names.contains(&format!("{name}.memory.rss")), "{name} is among {names:?}");
    }
}

/// The names that a query asks for.
fn asked(query: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let ours = ["wsgate_server_", "wsgate_client_", "motarei_", "deteco_", "sabo_", "process_"];
    query
        .split(move |c| !is_name(c))
        .filter(move |word| ours.iter().any(|prefix| word.starts_with(prefix) && word.len() > prefix.len()))
}

fn queries(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| queries(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, into)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let host = Host::start();
    let mut there = BTreeSet::new();
    let mut take = |text: &str| {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let names = samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned);
        // What has no value yet is declared at least.
        let declared = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
        there.extend(names.chain(declared.map(str::to_owned)));
    };
    for name in DAEMONS {
        take(&host.status(name).get("/metrics").1);
    }
    take(&output_of(&mut host.installed(&["sabo", "metrics", "--work-dir", "/var/tmp/dump", "--name", "d"])));
    // Only with a key that says when it ends, or a minute after it began.
    let valueless = |name: &str| name == "deteco_first_key_end_seconds" || name.starts_with("sabo_waiting_");
    let text = fs::read_to_string(workspace().join("packaging/grafana/wsgate.json")).unwrap();
    let mut all = Vec::new();
    queries(&serde_json::from_str(&text).unwrap(), &mut all);
    assert!(all.len() > 30, "{} queries", all.len());
    let page = fs::read_to_string(workspace().join("docs/monitoring.md")).unwrap();
    all.extend(page.split("```").skip(1).step_by(2).map(str::to_owned));
    for query in &all {
        let names = asked(query).filter(|name| !valueless(name));
        for name in names {
            assert!(there.contains(name), "{name}, of {query:?}, is none of {there:#?}");
        }
    }
    let of_all: Vec<_> = all.iter().flat_map(|query| asked(query)).collect();
    for prefix in ["wsgate_server_", "wsgate_client_", "motarei_", "deteco_", "sabo_"] {
        assert!(of_all.iter().any(|name| name.starts_with(prefix)), "nothing of {prefix}");
    }
}
