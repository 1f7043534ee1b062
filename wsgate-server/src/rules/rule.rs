//! One entry of an `allow` list.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Bare, Pattern, Proven};

/// Whom an entry of an `allow` list lets pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `"batch-*"`: on the e-mail or the `sub`, see [`Bare`].
    Bare(Pattern),
    /// `{ sub = "batch-*" }`.
    Sub(Pattern),
    /// `{ email = "*@example.com" }`.
    Email(Pattern),
    /// `{ claim = "groups", contains = "dba" }`: the claim is an array with this element, or is the value
    /// itself.
    Contains {
        /// The claim's name.
        claim: String,
        /// A string, an integer or a boolean.
        value: Value,
    },
    /// `{ claim = "department", equals = "it" }`: the claim is this value, of the same type.
    Equals {
        /// The claim's name.
        claim: String,
        /// A string, an integer or a boolean.
        value: Value,
    },
}

impl Rule {
    pub(super) fn admits(&self, bare: Bare, caller: &Proven<'_>) -> bool {
        let matches = |pattern: &Pattern, name: Option<&str>| name.is_some_and(|name| pattern.matches(name));
        match self {
            Self::Bare(pattern) => match bare {
                Bare::Sub => matches(pattern, caller.sub),
                Bare::Email => matches(pattern, caller.email),
            },
            Self::Sub(pattern) => matches(pattern, caller.sub),
            Self::Email(pattern) => matches(pattern, caller.email),
            Self::Contains { claim, value } => match caller.claims.get(claim) {
                Some(Value::Array(elements)) => elements.contains(value),
                Some(one) => one == value,
                None => false,
            },
            Self::Equals { claim, value } => caller.claims.get(claim) == Some(value),
        }
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entry)
    }
}

/// Reads a string or a table.
struct Entry;

impl<'de> Visitor<'de> for Entry {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pattern or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rule, E> {
        text.parse().map(Rule::Bare).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map))?.rule().map_err(de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sub: Option<Pattern>,
    email: Option<Pattern>,
    claim: Option<String>,
    contains: Option<Value>,
    equals: Option<Value>,
}

impl Table {
    fn rule(self) -> Result<Rule, &'static str> {
        let Self { sub, email, claim, contains, equals } = self;
        match (sub, email, claim, contains, equals) {
            (Some(sub), None, None, None, None) => Ok(Rule::Sub(sub)),
            (None, Some(email), None, None, None) => Ok(Rule::Email(email)),
            (None, None, Some(claim), Some(value), None) => {
                Ok(Rule::Contains { claim, value: scalar(value)? })
            }
            (None, None, Some(claim), None, Some(value)) => Ok(Rule::Equals { claim, value: scalar(value)? }),
            _ => Err("a rule is { sub }, { email }, { claim, contains } or { claim, equals }"),
        }
    }
}

/// Only these compare without surprises.
fn scalar(value: Value) -> Result<Value, &'static str> {
    let fine = value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64();
    if fine { Ok(value) } else { Err("a claim is compared with a string, an integer or a boolean") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(written: &str) -> Result<Rule, String> {
        #[derive(Debug, Deserialize)]
        struct Written {
            rule: Rule,
        }
        toml::from_str::<Written>(&format!("rule = {written}")).map(|w| w.rule).map_err(|e| e.to_string())
    }

    #[test]
    fn rules_admit_whom_they_name() {
        let claims = json!({
            "groups": ["dba", "ops", 7], "department": "it", "level": 3, "admin": true, "none": null,
            "nested": { "a": 1 }, "ratio": 3.0
        });
        let caller =
            Proven { sub: Some("alice"), email: Some("al@example.com"), claims: claims.as_object().unwrap() };
        for (written, admitted) in [
            ("'alice'", [true, false]),
            ("'al*'", [true, true]),
            ("'*@example.com'", [false, true]),
            ("{ sub = 'alice' }", [true, true]),
            ("{ sub = '*@example.com' }", [false, false]),
            ("{ email = 'al@*' }", [true, true]),
            ("{ email = 'alice' }", [false, false]),
            ("{ claim = 'groups', contains = 'dba' }", [true, true]),
            ("{ claim = 'groups', contains = 7 }", [true, true]),
            ("{ claim = 'groups', contains = '7' }", [false, false]),
            ("{ claim = 'groups', contains = 'db*' }", [false, false]),
            ("{ claim = 'groups', equals = 'dba' }", [false, false]),
            ("{ claim = 'department', contains = 'it' }", [true, true]),
            ("{ claim = 'department', contains = 'i' }", [false, false]),
            ("{ claim = 'department', equals = 'it' }", [true, true]),
            ("{ claim = 'department', equals = 'IT' }", [false, false]),
            ("{ claim = 'level', equals = 3 }", [true, true]),
            ("{ claim = 'level', equals = '3' }", [false, false]),
            ("{ claim = 'ratio', equals = 3 }", [false, false]),
            ("{ claim = 'admin', equals = true }", [true, true]),
            ("{ claim = 'nested', contains = 'a' }", [false, false]),
            ("{ claim = 'none', equals = '' }", [false, false]),
            ("{ claim = 'missing', equals = '' }", [false, false]),
            ("{ claim = 'missing', contains = '' }", [false, false]),
        ] {
            let rule = rule(written).unwrap();
            let found = [Bare::Sub, Bare::Email].map(|bare| rule.admits(bare, &caller));
            assert_eq!(found, admitted, "{written}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_reason() {
        for (written, why) in [
            ("''", "empty"),
            ("7", "a pattern or a table"),
            ("[]", "a pattern or a table"),
            ("{}", "a rule is"),
            ("{ sub = 'a', email = 'b' }", "a rule is"),
            ("{ claim = 'a' }", "a rule is"),
            ("{ contains = 'a' }", "a rule is"),
            ("{ claim = 'a', contains = 'b', equals = 'c' }", "a rule is"),
            ("{ claim = 'a', contain = 'b' }", "unknown field `contain`"),
            ("{ sub = ' a' }", "space"),
            ("{ claim = 'a', equals = 1.5 }", "compared with"),
            ("{ claim = 'a', equals = ['b'] }", "compared with"),
            ("{ claim = 'a', equals = { b = 1 } }", "compared with"),
            ("{ claim = 'a', equals = 2026-01-01 }", "compared with"),
        ] {
            let error = rule(written).expect_err(written);
            assert!(error.contains(why), "{written}: {error}");
        }
    }
}
