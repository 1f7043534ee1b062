//! JSON that has one meaning: a single object, every name once, not deeper than it needs to be.
//!
//! serde_json reads it; the visitor here builds the value and refuses what serde_json's own map
//! would quietly accept. Every value is built, also under names nobody asks for, so that nothing in
//! a token goes unread.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::Refused;

/// The object in `bytes`. Depth counts the object itself: `{"a":[]}` has depth 2.
pub(crate) fn object(bytes: &[u8], max_depth: usize) -> Result<Map<String, Value>, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::Utf8)?;
    let reason = Cell::new(Refused::Json);
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Strict { depth_left: max_depth, reason: &reason }.deserialize(&mut json);
    let value = value.map_err(|_| reason.get())?;
    json.end().map_err(|_| Refused::Json)?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Refused::NotObject),
    }
}

/// `reason` carries what serde's error type cannot: which rule was broken.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth_left: usize,
    reason: &'a Cell<Refused>,
}

impl Strict<'_> {
    fn inside<E: de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Strict { depth_left, ..self }),
            None => Err(self.refuse(Refused::TooDeep)),
        }
    }

    fn refuse<E: de::Error>(self, reason: Refused) -> E {
        self.reason.set(reason);
        E::custom(reason)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// JSON has no infinity, and serde_json refuses what overflows to it (`1e400`).
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.refuse(Refused::Json))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inside)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    /// The name comes with its escapes resolved: `"sub"` and `"s\u0075b"` are the same name.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(self.refuse(Refused::DuplicateName));
            }
            let value = members.next_value_seed(inside)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_as_serde_json_where_it_is_taken() {
        let rows = [
            "{}",
            r#" {"a":null,"b":[true,false,[]],"c":{"d":-1,"e":18446744073709551615,"f":1.5e3,"g":"\u00e9\n"}} "#,
            r#"{"":1," ":2,"a":{"a":{"a":1}}}"#,
            r#"{"a":123456789012345678901234567890,"b":-0.0,"c":5e-324}"#,
        ];
        for text in rows {
            let ours = object(text.as_bytes(), 8).map(Value::Object);
            assert_eq!(ours.ok(), serde_json::from_str(text).ok(), "{text}");
        }
    }

    #[test]
    fn depth_counts_the_outermost_object() {
        let rows = [
            ("{}", 1, true),
            (r#"{"a":1}"#, 1, true),
            (r#"{"a":[]}"#, 1, false),
            (r#"{"a":[]}"#, 2, true),
            (r#"{"a":[{}],"b":[]}"#, 2, false),
            (r#"{"a":[{}],"b":[]}"#, 3, true),
        ];
        for (text, max_depth, taken) in rows {
            let expected = if taken { None } else { Some(Refused::TooDeep) };
            assert_eq!(object(text.as_bytes(), max_depth).err(), expected, "{text} {max_depth}");
        }
    }
}
