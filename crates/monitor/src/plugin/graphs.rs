//! The graphs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Target, ask_all, definitions, path, short};
use crate::graph::Unit;
use crate::name::Part;
use crate::registry::{Registry, Set};
use crate::said::Said;

/// Our own are as declared; those of another program are its daemon's to know.
pub(super) fn graphs(targets: &[Target], registry: &Registry, set: Set, timeout: Duration) -> Said {
    let mut said = Said::default();
    let mut all = Map::new();
    let others: Vec<Target> = targets.iter().filter(|target| !target.is_ours).cloned().collect();
    for target in targets.iter().filter(|target| target.is_ours) {
        if let Value::Object(own) = registry.graphs(Some(&target.instance), set)["graphs"].take() {
            all.extend(own);
        }
    }
    ask_all(
        &others,
        |target| path(target, set, "&meta=1"),
        timeout,
        |target, answer| match answer.map(|reply| serde_json::from_str(&reply.body)) {
            Ok(Ok(answer)) => take(target, answer, &mut all, &mut said),
            Ok(Err(_)) => said.complain(target, "the answer is no JSON"),
            Err(failure) => said.complain(target, failure),
        },
    );
    said.text = definitions(&json!({ "graphs": all }));
    said
}

/// Those that Mackerel takes: one that it does not would cost the graphs of all.
fn take(target: &Target, mut answer: Value, all: &mut Map<String, Value>, said: &mut Said) {
    let Some(Value::Object(graphs)) = answer.get_mut("graphs").map(Value::take) else {
        return said.complain(target, "the answer has no graphs");
    };
    for (name, graph) in graphs {
        match is_graph(&name, &graph, &target.instance) {
            true => drop(all.insert(name, graph)),
            false => {
                let complaint =
                    format!("left out, being no graph of {}: {:?}", target.instance, short(&name));
                said.complain(target, complaint);
            }
        }
    }
}

fn is_graph(name: &str, graph: &Value, instance: &str) -> bool {
    let own = name.strip_prefix(instance).and_then(|rest| rest.strip_prefix('.'));
    let metrics = graph["metrics"].as_array();
    own.is_some_and(|rest| rest.split('.').all(is_part))
        && graph["label"].is_string()
        && graph["unit"].as_str().is_some_and(|unit| Unit::ALL.iter().any(|known| known.as_str() == unit))
        && metrics.is_some_and(|metrics| !metrics.is_empty() && metrics.iter().all(is_metric))
}

fn is_metric(metric: &Value) -> bool {
    metric["name"].as_str().is_some_and(is_part)
        && metric["label"].is_string()
        && metric.get("stacked").is_none_or(Value::is_boolean)
}

/// Mackerel's wildcards are whole parts.
fn is_part(part: &str) -> bool {
    matches!(part, "*" | "#") || Part::is(part)
}
