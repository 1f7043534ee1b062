//! The facts.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Target, ask_all};
use crate::ask::Failure;
use crate::declare::Program;
use crate::health::is_of;
use crate::said::Said;

/// By instance. The agent sends it when it differs, so that nothing that changes by itself is in it.
pub(super) fn metadata(targets: &[Target], program: Program, timeout: Duration) -> Said {
    let mut said = Said::default();
    let mut all = Map::new();
    ask_all(
        targets,
        |_| "/status".to_owned(),
        timeout,
        |target, answer| match answer {
            Ok(reply) => match facts(target, &reply.body, program) {
                Ok(facts) => drop(all.insert(target.instance.clone(), facts)),
                Err(complaint) => said.complain(target, complaint),
            },
            // A socket that an uninstalled program left must not withhold the others for good.
            Err(failure @ Failure::Nobody(_)) if !target.is_named => {
                said.complaints.push(format!("{}: left out: {failure}", target.address));
            }
            Err(failure) => said.complain(target, failure),
        },
    );
    if said.status == 0 {
        // Half of it would look like a change.
        said.text = format!("{}\n", Value::Object(all));
    }
    said
}

fn facts(target: &Target, body: &str, program: Program) -> Result<Value, String> {
    let mut status: Value = serde_json::from_str(body).map_err(|_| "the answer is no JSON".to_owned())?;
    if target.is_named {
        is_of(&status, program)?;
    }
    match status.get_mut("metadata").map(Value::take) {
        Some(facts @ Value::Object(_)) => Ok(facts),
        _ => Err("whoever answers there is none of these programs".to_owned()),
    }
}
