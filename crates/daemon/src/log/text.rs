//! `2026-11-21T20:44:28.123Z  INFO message field=value other="a value"`

use tracing::Level;

use super::entry::Entry;
use super::escape;
use super::fields::Value;
use super::line::Line;
use super::rfc3339;

pub(super) fn line(entry: &Entry) -> String {
    let head = format!("{} {:>5} ", rfc3339::utc(entry.time), entry.level);
    render(entry, &head)
}

/// The level in its colour, the time dimmed (ECMA-48 SGR).
pub(super) fn coloured(entry: &Entry) -> String {
    let colour = match entry.level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let head = format!("\x1b[2m{}\x1b[0m \x1b[{colour}m{:>5}\x1b[0m ", rfc3339::utc(entry.time), entry.level);
    render(entry, &head)
}

fn render(entry: &Entry, head: &str) -> String {
    let mut line = Line::new();
    line.push(head);
    line.push_value(&entry.fields.message, escape::plain);
    for (name, Value::Bare(value) | Value::Text(value)) in &entry.fields.named {
        field(&mut line, name, value);
    }
    line.finish(" cut=true", "")
}

fn field(line: &mut Line, name: &str, value: &str) {
    let (quote, escape): (_, escape::Escape) =
        if is_plain(value) { ("", escape::plain) } else { ("\"", escape::quoted) };
    if line.push(&format!(" {name}={quote}")) {
        line.push_value(value, escape);
        line.close(quote);
    }
}

/// Whether a reader sees where the value ends without quotation marks.
fn is_plain(value: &str) -> bool {
    let stands_alone = |c: char| !c.is_whitespace() && !escape::is_hostile(c) && !"\"=\\".contains(c);
    !value.is_empty() && value.chars().all(stands_alone)
}
