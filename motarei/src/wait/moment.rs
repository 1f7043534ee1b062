//! A place in the order of ages: after which a container is newer.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use crate::selector::Label;
use crate::status::{App, Container, Document};

/// When a container came, so that it can be told what is newer even if it has gone: `ID@NANOSECONDS`, in the order
/// in which the proxy prefers containers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// As the status has it, in nanoseconds since 1970.
    pub created: i64,
    /// Of two of one time, the one with the greater id is newer.
    pub id: String,
}

/// What a container is to be newer than, as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// What `motarei status --newest` said. No container's name has an `@`.
    Moment(Moment),
    /// An id, a name, or the beginning of an id.
    Container(String),
}

impl Moment {
    /// That of the newest container of the apps that have all `labels`; `none@0` if they have none. It is the
    /// newest and not the one that serves: an older deploy that is still about to boot is not the next one.
    ///
    /// # Errors
    /// If there is no such app.
    pub fn newest(document: &Document, labels: &[Label]) -> Result<Self> {
        let apps: Vec<&App> = document.with_labels(labels).collect();
        if apps.is_empty() {
            bail!(no_app(labels));
        }
        let containers = apps.into_iter().flat_map(|app| &app.containers);
        let none = Self { created: 0, id: "none".to_owned() };
        Ok(containers.map(Self::of).max().unwrap_or(none))
    }

    pub(super) fn of(container: &Container) -> Self {
        Self { created: container.created, id: container.id.clone() }
    }
}

pub(super) fn no_app(labels: &[Label]) -> String {
    let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
    format!("the proxy has no app with the label {}", labels.join(", "))
}

/// The form that is parsed.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.created)
    }
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.split_once('@') {
            _ if text.is_empty() => {
                Err("it is empty, so that the container that is to be replaced would do too: \
                                        take it from `motarei status --newest`, or leave the flag out")
            }
            None => Ok(Self::Container(text.to_owned())),
            Some((id, created)) => {
                let created =
                    created.parse().map_err(|_| "write ID@NANOSECONDS, as `motarei status --newest` does")?;
                Ok(Self::Moment(Moment { created, id: id.to_owned() }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_one_is_refused() {
        for text in ["", " ", "a@b", "@"] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
        for text in ["a", "n-1"] {
            assert_eq!(text.parse(), Ok(Reference::Container(text.to_owned())));
        }
    }

    #[test]
    fn the_newest_is_told_in_the_form_that_is_read() {
        let container = |id: &str, created| Container { id: id.into(), created, ..Container::default() };
        let app = |label: &str, containers| App { labels: vec![label.into()], containers, ..App::default() };
        let both = vec![container("b", 2), container("a", 1)];
        let apps = vec![app("web", both), app("db", vec![]), app("api", vec![container("c", 3)])];
        let document = Document { apps, ..Document::default() };
        for (labels, newest) in [(&["web"][..], "b@2"), (&["db"], "none@0"), (&[], "c@3")] {
            let labels: Vec<Label> = labels.iter().map(|label| label.parse().unwrap()).collect();
            let moment = Moment::newest(&document, &labels).unwrap();
            assert_eq!(moment.to_string(), newest);
            assert_eq!(newest.parse(), Ok(Reference::Moment(moment)));
        }
        assert!(Moment::newest(&document, &["x".parse().unwrap()]).is_err());
    }
}
