//! The values.

use std::time::Duration;

use serde_json::Value;

use super::{Target, ask_all, good, path, short};
use crate::ask::{Asked, ask};
use crate::declare::Program;
use crate::health::is_of;
use crate::name::Part;
use crate::registry::Set;
use crate::said::Said;

/// Of each that answers. Who was named with `--status` is asked too which program it is.
pub(super) fn lines(targets: &[Target], program: Program, set: Set, timeout: Duration) -> Said {
    let whose = |target: &Target| target.is_named.then(|| ask(&target.address, "/status?brief=1", timeout));
    let mut whose = targets.iter().map(whose).collect::<Vec<_>>().into_iter();
    let mut said = Said::default();
    ask_all(
        targets,
        |target| path(target, set, ""),
        timeout,
        |target, answer| match (answer, whose.next().flatten().map(|asked| is_ours(asked, program))) {
            (Err(failure), _) => said.complain(target, failure),
            (Ok(_), Some(Err(other))) => said.complain(target, other),
            (Ok(reply), _) => take(target, &reply.body, &mut said),
        },
    );
    said
}

fn is_ours(asked: Asked, program: Program) -> Result<(), String> {
    let reply = good(asked).map_err(|failure| failure.to_string())?;
    is_of(&serde_json::from_str(&reply.body).unwrap_or(Value::Null), program)
}

/// Those that the agent takes; one complaint of all others.
fn take(target: &Target, body: &str, said: &mut Said) {
    let (good, bad): (Vec<_>, Vec<_>) = body.lines().partition(|line| is_line(line, &target.instance));
    for line in good {
        said.text.push_str(line);
        said.text.push('\n');
    }
    if let Some(first) = bad.first() {
        let (of, count, first) = (&target.instance, bad.len(), short(first));
        said.complain(target, format!("left out, being no values of {of}: {count} lines, first {first:?}"));
    }
}

/// Whether the agent takes it, and it is what was asked for: whoever answers there, no line of it makes the server
/// refuse the others, or is another daemon's.
pub(super) fn is_line(line: &str, instance: &str) -> bool {
    let [name, value, epoch] = line.split('\t').collect::<Vec<_>>()[..] else { return false };
    let own = name.strip_prefix(instance).and_then(|rest| rest.strip_prefix('.'));
    own.is_some_and(|rest| rest.split('.').all(Part::is))
        && value.parse::<f64>().is_ok_and(f64::is_finite)
        && epoch.parse::<u64>().is_ok()
}
