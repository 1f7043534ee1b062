//! Where in a file something is.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Error, anyhow};

use crate::identity::sha256;

/// What a private key begins with: somebody may have put one where a public key or a list belongs.
const PEM: &str = "-----BEGIN";
/// What follows is base64, in lines of 64; somebody may have left out the first one.
const PEM_LINE: usize = 60;

/// A file's name, and where its lines end.
#[derive(Debug, Default)]
pub(crate) struct Source {
    path: PathBuf,
    ends: Vec<usize>,
    digest: [u8; 32],
}

/// Something wrong in a table.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Where; `None`: in all of it.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) what: String,
}

impl Wrong {
    pub(super) fn at(span: Range<usize>, what: impl Into<String>) -> Self {
        Wrong { span: Some(span), what: what.into() }
    }

    /// As a part of something larger, whose place is that of what has none.
    pub(crate) fn within(self, name: &str, whole: Range<usize>) -> Self {
        Wrong { span: self.span.or(Some(whole)), what: format!("{name}: {}", self.what) }
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        Wrong { span: None, what: what.to_owned() }
    }
}

impl Source {
    pub(super) fn new(text: &str, path: &Path) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
        Source { path: path.to_owned(), ends: ends.collect(), digest: sha256(text) }
    }

    /// SHA-256 of the text.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The line, from 1 on, in which a span begins.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        1 + self.ends.partition_point(|end| *end < span.start)
    }

    /// `FILE:LINE` of a span.
    pub(crate) fn at(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.path.display(), self.line(span))
    }

    /// `FILE:LINE: what`
    pub(crate) fn wrong(&self, span: Range<usize>, what: impl std::fmt::Display) -> Error {
        anyhow!("{}: {what}", self.at(&span))
    }

    /// The same, of something in a table that [`Wrong::within`] has placed.
    pub(crate) fn error(&self, Wrong { span, what }: Wrong) -> Error {
        self.wrong(span.unwrap_or(0..0), what)
    }

    /// What serde does not take. It repeats a value of the wrong type, which shall not be a key.
    pub(super) fn unreadable(&self, error: &toml::de::Error) -> Error {
        let mut what = error.message().replace('\n', "; ");
        if has_pem(&what) {
            let expected = what.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
            what = format!("a key stands there, expected {expected}");
        }
        self.wrong(error.span().unwrap_or(0..0), without_keys(&what))
    }
}

/// The text without words that are as long as a line of a key.
fn without_keys(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_');
    let mut shown = String::new();
    for word in text.split_inclusive(|c| !is_base64(c)) {
        let rest = word.trim_start_matches(is_base64);
        let is_key = word.len() - rest.len() >= PEM_LINE;
        shown.push_str(if is_key { "…" } else { &word[..word.len() - rest.len()] });
        shown.push_str(rest);
    }
    shown
}

/// Whether a key, perhaps a private one, is in a text.
pub(super) fn has_pem(text: &str) -> bool {
    text.contains(PEM)
}
