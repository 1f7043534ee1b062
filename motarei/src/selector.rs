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

/// The labels that all apps ask for: the engine can leave out what has not even those.
pub(crate) fn common(apps: &[Vec<Label>]) -> Vec<Label> {
    let Some((first, others)) = apps.split_first() else { return Vec::new() };
    let everywhere = |label: &&Label| others.iter().all(|labels| labels.contains(label));
    first.iter().filter(everywhere).cloned().collect()
}

/// Whether a container with these labels is one of an app's.
pub(crate) fn is_of_any(apps: &[Vec<Label>], carried: Option<&HashMap<String, String>>) -> bool {
    carried
        .is_some_and(|carried| apps.iter().any(|labels| labels.iter().all(|label| label.is_carried(carried))))
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
    fn labels(list: &[&str]) -> Vec<Label> {
        list.iter().map(|label| label.parse().unwrap()).collect()
    }

    #[test]
    fn the_engine_is_asked_for_what_all_apps_want() {
        for (lists, expected) in [
            (&[][..], &[][..]),
            (&[&["a", "b"][..]], &["a", "b"]),
            (&[&["a", "b"], &["b", "c"]], &["b"]),
            (&[&["a"], &["a=1"]], &[]),
        ] {
            let apps: Vec<_> = lists.iter().map(|list| labels(list)).collect();
            assert_eq!(common(&apps), labels(expected), "{lists:?}");
        }
    }

    #[test]
    fn a_container_is_ours_that_carries_all_labels_of_one_app() {
        let apps = [labels(&["a", "b=1"]), labels(&["c"])];
        for (carried, expected) in [
            (&[("a", ""), ("b", "1")][..], true),
            (&[("a", ""), ("b", "2")], false),
            (&[("c", "")], true),
            (&[], false),
        ] {
            let carried =
                carried.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(is_of_any(&apps, Some(&carried)), expected, "{carried:?}");
        }
        assert!(!is_of_any(&apps, None));
    }
}
