//! Lists and strings with rules of their own.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A list that says something.
#[derive(Debug)]
pub(crate) struct Full<T>(pub(super) Vec<T>);

impl<T> Default for Full<T> {
    fn default() -> Self {
        Full(Vec::new())
    }
}

impl<T> Deref for Full<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Full<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vec::deserialize(from)?;
        if list.is_empty() { Err(D::Error::custom(EMPTY)) } else { Ok(Full(list)) }
    }
}

const EMPTY: &str = "the list is empty; write what belongs there, or leave it out";

/// One string or a list of them, none of which is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<String>);

struct NamesVisitor;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NamesVisitor)
    }
}

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
        Names(vec![name.to_owned()]).checked()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while let Some(name) = list.next_element()? {
            names.0.push(name);
        }
        names.checked()
    }
}

impl Names {
    fn checked<E: Error>(self) -> Result<Self, E> {
        if self.0.is_empty() {
            return Err(E::custom(EMPTY));
        }
        if self.0.iter().any(String::is_empty) {
            return Err(E::custom("the string is empty; write a name, or leave it out"));
        }
        Ok(self)
    }
}

/// A service's id, and so the `sub` of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) String);

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let visible = |byte: u8| (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\'' | b'\\');
        match text.len() {
            0 => Err("an id is the `sub` of tokens, and not empty"),
            256.. => Err("an id has at most 255 bytes"),
            _ if text.trim() != text => Err("an id has no space at its beginning or end"),
            _ if !text.bytes().all(visible) => {
                Err("an id is of visible ASCII, without quotes and backslashes")
            }
            _ => Ok(Id(text.to_owned())),
        }
    }
}

/// What a location may declare: a scope-token of RFC 6749 §3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(pub(crate) String);

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        match text.len() {
            1..=255 if text.bytes().all(fits) => Ok(Scope(text.to_owned())),
            _ => Err("a scope has 1 to 255 bytes of visible ASCII, without spaces, \" and \\"),
        }
    }
}

/// A method that nginx takes: it refuses any other letter itself (`ngx_http_parse_request_line`).
impl FromStr for crate::Method {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
        match text.len() {
            1..=255 if text.bytes().all(fits) => Ok(crate::Method(text.to_owned())),
            _ => Err("a method is of capital letters, - and _, such as GET"),
        }
    }
}
