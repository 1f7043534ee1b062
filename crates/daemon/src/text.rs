//! Values that a configuration file writes as strings.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A value that its own type parses from a string, for serde. It parses while serde is at the string and not
/// when it has left it, so that the error has the string's line. The error repeats the string: not for secrets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<T>(pub T);

struct Parse<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Parse(PhantomData))
    }
}

impl<T: FromStr<Err: Display>> Visitor<'_> for Parse<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
        text.parse().map(Text).map_err(|error: T::Err| match error.to_string() {
            error if error.contains(text) => E::custom(error),
            error => E::custom(format_args!("{text:?}: {error}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GoDuration;

    #[test]
    fn strings_are_parsed_and_named_in_errors() {
        let read = |json| serde_json::from_str::<Text<GoDuration>>(json).map(|text| text.0.to_string());
        assert_eq!(read("\"90s\"").unwrap(), "1m30s");
        for (json, says) in [
            ("\"1d\"", "bad duration \"1d\": the units are"),
            ("\"\"", "bad duration \"\": it is empty"),
            ("90", "invalid type: integer `90`, expected a string"),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        let error = serde_json::from_str::<Text<u8>>("\"300\"").unwrap_err().to_string();
        assert!(error.starts_with("\"300\": number too large"), "{error}");
    }
}
