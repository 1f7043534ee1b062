//! `time:…\tlevel:info\tmessage:…\tfield:…`

use super::entry::Entry;
use super::escape;
use super::fields::Value;
use super::line::Line;
use super::rfc3339;

pub(super) fn line(entry: &Entry) -> String {
    let mut line = Line::new();
    line.push(&format!("time:{}\tlevel:{}\tmessage:", rfc3339::utc(entry.time), entry.level_name()));
    line.push_value(&entry.fields.message, escape::plain);
    for (name, Value::Bare(value) | Value::Text(value)) in &entry.fields.named {
        if line.push(&format!("\t{name}:")) {
            line.push_value(value, escape::plain);
        }
    }
    line.finish("\tcut:true", "")
}
