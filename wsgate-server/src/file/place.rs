//! Where in a file something is, and what a file must not say twice.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

/// The line, from 1 on, of a byte of `text`.
pub(super) fn line(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    1 + before.filter(|b| **b == b'\n').count()
}

/// Something wrong at a place.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) what: String,
}

impl From<toml::de::Error> for Wrong {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span(), what: error.message().replace('\n', "; ") }
    }
}

/// What must be unique, with its places; the second reading of a file whose first one went well.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    destination: Vec<Destination>,
    #[serde(default)]
    user: Vec<User>,
}

#[derive(Deserialize)]
struct Destination {
    name: Spanned<String>,
}

#[derive(Deserialize)]
struct User {
    email: Spanned<String>,
}

/// Finds a destination or a user that is there twice; else the lines of the destinations.
pub(super) fn check_unique(text: &str) -> Result<Vec<usize>, Wrong> {
    let names: Names = toml::from_str(text)?;
    let lines = names.destination.iter().map(|table| line(text, table.name.span().start)).collect();
    unique(text, "destination", names.destination.into_iter().map(|table| table.name))?;
    unique(text, "user", names.user.into_iter().map(|table| table.email))?;
    Ok(lines)
}

fn unique(text: &str, table: &str, names: impl Iterator<Item = Spanned<String>>) -> Result<(), Wrong> {
    let mut lines = HashMap::new();
    for name in names {
        let span = name.span();
        let name = name.into_inner();
        let what = format!("{table} {name:?} is already in line ");
        if let Some(first) = lines.insert(name, line(text, span.start)) {
            return Err(Wrong { span: Some(span), what: format!("{what}{first}; remove one of them") });
        }
    }
    Ok(())
}
