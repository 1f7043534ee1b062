//! Reading what the gateway wrote about who passed.

use std::fs;

use serde_json::Value;

use crate::eventually::eventually;

/// Every line of an audit log.
///
/// # Panics
/// When a line is not one JSON object: that would be a forged or torn one.
pub fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    // A line that is being written is none yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(object).collect()
}

fn object(line: &str) -> Value {
    match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => value,
        other => panic!("a line of the audit log is no JSON object but {other:?}: {line:?}"),
    }
}

/// The lines of this event once there are so many, or more.
pub fn events(file: &str, event: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} lines of {event} in the audit log"), || {
        let mut found = lines(file);
        found.retain(|line| line["event"] == event);
        (found.len() >= count).then_some(found)
    })
}
