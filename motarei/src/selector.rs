//! Which containers are an app's: those that carry all of its labels.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// A label to be carried: `KEY`, whatever its value, or `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The label's name, never empty.
    pub key: String,
    /// What it must be, if that matters.
    pub value: Option<String>,
}

impl Label {
    /// Whether a container with these labels carries it.
    pub fn is_carried(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(&self.key).is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        match key {
            "" => Err("the label has no name, write KEY or KEY=VALUE"),
            key => Ok(Self { key: key.to_owned(), value }),
        }
    }
}

/// The form that is parsed, which is also that of the engine's label filter.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_or_a_name_and_a_value() {
        let labels = HashMap::from([("app".to_owned(), "web".to_owned()), ("a=b".into(), String::new())]);
        for (text, carried) in [
            ("app", true),
            ("app=web", true),
            ("app=", false),
            ("app=web=1", false),
            ("other", false),
            ("App", false),
        ] {
            let label: Label = text.parse().unwrap();
            assert_eq!((label.is_carried(&labels), label.to_string().as_str()), (carried, text));
        }
        assert!("".parse::<Label>().is_err() && "=web".parse::<Label>().is_err());
    }
}
