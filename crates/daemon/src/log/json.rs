//! `{"time":"…","level":"info","message":"…","field":…}`

use super::entry::Entry;
use super::escape;
use super::fields::Value;
use super::line::Line;
use super::rfc3339;

pub(super) fn line(entry: &Entry) -> String {
    let mut line = Line::new();
    line.push(&format!("{{\"time\":\"{}\",\"level\":\"{}\"", rfc3339::utc(entry.time), entry.level_name()));
    text(&mut line, "message", &entry.fields.message);
    for (name, value) in &entry.fields.named {
        match value {
            Value::Bare(value) => {
                line.push(&format!(",\"{name}\":{value}"));
            }
            Value::Text(value) => text(&mut line, name, value),
        }
    }
    line.finish(",\"cut\":true", "}")
}

fn text(line: &mut Line, name: &str, value: &str) {
    if line.push(&format!(",\"{name}\":\"")) {
        line.push_value(value, escape::json);
        line.close("\"");
    }
}
