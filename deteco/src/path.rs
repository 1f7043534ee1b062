//! The path policy: which path nginx serves for a raw URI, and which of them may be decided on.
//!
//! ```text
//! $request_uri ─ cut at ? or # ─ decode %XX once ─ resolve . and .. ─ merge // or not ─► what nginx matches
//!                                                                                          locations with
//! ```
//!
//! The raw URI is not the path that is served: `/path1/%2e%2e/secret` begins with `/path1` and is served from
//! `/secret`. So a decision is made on what nginx makes of it, both with and without `merge_slashes`, since
//! nobody tells us which it is. A test compares this with a real nginx.

mod prefix;

use std::borrow::Cow;

use crate::Reason;
pub use prefix::{Prefix, PrefixError};

/// The longest URI that is looked at, in bytes: what nginx reads by default
/// (`large_client_header_buffers`).
const MAX_URI: usize = 8192;

/// How nginx treats runs of slashes, `merge_slashes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeSlashes {
    /// Runs collapse (its default).
    On,
    /// Empty segments stay.
    Off,
}

/// How strict the path must be spelt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UriPolicy {
    /// Only the one spelling that no normalisation changes: an application that gets the raw URI
    /// (`proxy_pass http://app;`) normalises it again, by rules of its own.
    #[default]
    Canonical,
    /// Any spelling whose paths, with and without merged slashes, are both allowed.
    Nginx,
}

/// What nginx may make of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths<'a> {
    /// With merged slashes
    pub(crate) merged: Cow<'a, [u8]>,
    /// Without, if that is another path
    pub(crate) unmerged: Option<Vec<u8>>,
}

impl Paths<'_> {
    /// One path or two.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&*self.merged).chain(self.unmerged.as_deref())
    }
}

/// The paths that a decision on `raw` is about.
///
/// # Errors
/// `UriTooLong`, `UriMalformed` or `UriNotCanonical`.
pub(crate) fn paths(raw: &[u8], policy: UriPolicy) -> Result<Paths<'_>, Reason> {
    if raw.len() > MAX_URI {
        return Err(Reason::UriTooLong);
    }
    if let Some(path) = plain(raw) {
        return Ok(Paths { merged: path.into(), unmerged: None });
    }
    let merged = normalise(raw, MergeSlashes::On).ok_or(Reason::UriMalformed)?;
    let unmerged = normalise(raw, MergeSlashes::Off).ok_or(Reason::UriMalformed)?;
    if policy == UriPolicy::Canonical && !(merged == unmerged && is_canonical(raw, &merged)) {
        return Err(Reason::UriNotCanonical);
    }
    let unmerged = (merged != unmerged).then_some(unmerged);
    Ok(Paths { merged: merged.into(), unmerged })
}

/// The path of a URI that needs no second look: nothing encoded, no dot after a slash, no run of slashes.
fn plain(raw: &[u8]) -> Option<&[u8]> {
    let is_plain = |byte: &u8| !is_blank_or_control(*byte) && !matches!(byte, b'#' | b'%' | b'\\');
    let path = raw.split(|byte| *byte == b'?').next().filter(|path| path.first() == Some(&b'/'))?;
    let clean = path.iter().all(is_plain) && raw.iter().all(|b| !is_blank_or_control(*b) && *b != b'#');
    let turns = path.windows(2).any(|pair| matches!(pair, b"//" | b"/."));
    (clean && !turns).then_some(path)
}

/// The path from which nginx chooses a location, for the raw target of a request. `None`: nginx refuses it,
/// or it holds bytes of which one cannot be sure that nginx does.
pub fn normalise(raw: &[u8], merge: MergeSlashes) -> Option<Vec<u8>> {
    if raw.iter().any(|byte| is_blank_or_control(*byte)) {
        return None;
    }
    let decoded = decode(path_of(raw).strip_prefix(b"/")?)?; // an encoded slash is not the first one
    let mut path: Vec<&[u8]> = Vec::new();
    let mut segments = decoded.split(|byte| *byte == b'/').peekable();
    let mut ends_in_slash = false;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b".." => drop(path.pop()?),
            b"." => {}
            b"" if is_last || merge == MergeSlashes::On => {}
            _ => path.push(segment),
        }
        ends_in_slash = matches!(segment, b"" | b"." | b"..");
    }
    let mut normal = Vec::with_capacity(decoded.len());
    for segment in &path {
        normal.push(b'/');
        normal.extend_from_slice(segment);
    }
    if ends_in_slash || path.is_empty() {
        normal.push(b'/');
    }
    Some(normal)
}

/// What comes before the first raw `?` or `#`.
fn path_of(raw: &[u8]) -> &[u8] {
    match raw.iter().position(|byte| matches!(byte, b'?' | b'#')) {
        Some(0) => b"/",
        Some(end) => &raw[..end],
        None if raw.is_empty() => b"/",
        None => raw,
    }
}

/// `%XX` decoded, once; `None` for one that is short, no number, or NUL.
fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => Some(hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?).filter(|byte| *byte != 0)?,
            _ => byte,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether `path`, which is what is served for `raw`, is also what anybody else would make of it.
fn is_canonical(raw: &[u8], path: &[u8]) -> bool {
    let spelt = path_of(raw);
    let holds_encoded = |text: &[u8]| spelt.windows(3).any(|bytes| bytes.eq_ignore_ascii_case(text));
    let is_dots = |segment: &[u8]| {
        let name = segment.split(|byte| *byte == b';').next();
        segment.contains(&b';') && matches!(name, Some(b"." | b".."))
    };
    raw.first() == Some(&b'/')
        && decode(spelt).as_deref() == Some(path)
        && !holds_encoded(b"%2f")
        && !holds_encoded(b"%5c")
        && !raw.contains(&b'#')
        && !path.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control())
        && !path.windows(3).any(|text| text[0] == b'%' && hex(text[1]).is_some() && hex(text[2]).is_some())
        && !path.split(|byte| *byte == b'/').any(is_dots)
}

/// No request target has one (RFC 9112 §3.2), and a proxy that lets one pass may cut there.
fn is_blank_or_control(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

#[cfg(test)]
mod tests;
