//! Values that are written as strings, and numbers with bounds: serde's `deserialize_with`.

use std::fmt::Display;
use std::str::FromStr;

use daemon::Text;
use serde::de::{Deserialize, Deserializer, Error};

use crate::origin::Origins;

pub(super) fn one<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    Text::deserialize(from).map(|text| text.0)
}

pub(super) fn some<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    one(from).map(Some)
}

pub(super) fn list<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let texts = Vec::<Text<T>>::deserialize(from)?;
    Ok(texts.into_iter().map(|text| text.0).collect())
}

/// As [`list`]; an empty one is refused, since it would mean the default and reads like nobody.
pub(super) fn full_list<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let values = list(from)?;
    if values.is_empty() {
        return Err(D::Error::custom("the list is empty; leave it out for the default"));
    }
    Ok(values)
}

pub(super) fn some_list<'de, T, D>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    list(from).map(Some)
}

/// Of the form `scheme://host[:port]`, as written.
struct Origin(String);

impl FromStr for Origin {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origin = text.to_owned();
        Origins::new(std::slice::from_ref(&origin)).map(|_| Self(origin))
    }
}

pub(super) fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let origins: Vec<Origin> = list(from)?;
    Ok(origins.into_iter().map(|origin| origin.0).collect())
}

/// A number of connections, with the bounds of `--max-connections`.
pub(super) fn connections<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    match i64::deserialize(from)? {
        count @ 1..=1_000_000 => Ok(usize::try_from(count).ok()),
        _ => Err(D::Error::custom("the number of connections is from 1 to 1000000")),
    }
}

/// The argument of `--dump-tcp`.
pub(super) fn dump<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    match u8::deserialize(from)? {
        level @ 0..=2 => Ok(Some(level)),
        _ => Err(D::Error::custom("it is 0, 1 or 2")),
    }
}

/// What may stand for a destination in a path.
pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let wrong = [
        (name.is_empty(), "the name is empty"),
        (name.trim() != name, "the name has a space at its beginning or end"),
        (name.chars().any(char::is_control), "the name has a control character"),
    ];
    match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, why)) => Err(D::Error::custom(why)),
        None => Ok(name),
    }
}
