//! The fields of an event or a span, as tracing hands them over.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};

use super::line::LONGEST;

/// Names that the line itself uses.
const RESERVED: [&str; 3] = ["time", "level", "cut"];

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A number or a boolean, which no format has to quote.
    Bare(String),
    Text(String),
}

#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) named: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Takes what `outer` has and this one has not.
    pub(super) fn complete_from(&mut self, outer: &Fields) {
        for (name, value) in &outer.named {
            if !self.named.iter().any(|(known, _)| known == name) {
                self.named.push((name, value.clone()));
            }
        }
    }

    /// A name recorded again has its last value.
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::Text(text) | Value::Bare(text)) => self.message = text,
            (name, _) if RESERVED.contains(&name) => {}
            (name, value) => match self.named.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.named.push((name, value)),
            },
        }
    }

    fn bare(&mut self, field: &Field, value: impl ToString) {
        self.set(field, Value::Bare(value.to_string()));
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let mut text = Bounded(String::new());
        // It only fails when it is full.
        let _ = text.write_fmt(value);
        self.set(field, Value::Text(text.0));
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }
    fn record_i128(&mut self, field: &Field, value: i128) {
        self.bare(field, value);
    }
    fn record_u128(&mut self, field: &Field, value: u128) {
        self.bare(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN (RFC 8259, 6).
        match value.is_finite() {
            true => self.bare(field, value),
            false => self.text(field, format_args!("{value}")),
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, format_args!("{}", Chain(value)));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

/// An error and its sources, as anyhow's `{:#}` writes them.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Stops a value from being formatted far beyond what a line can hold.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for c in piece.chars() {
            if self.0.len() >= LONGEST {
                return Err(fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}
