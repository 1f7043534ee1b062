//! What others than people look for in the document.

use super::document::{App, Container, Document};
use crate::selector::Label;

impl Document {
    /// The apps whose containers carry all of `labels`.
    pub(crate) fn with_labels<'a>(&'a self, labels: &'a [Label]) -> impl Iterator<Item = &'a App> {
        let carries = |app: &&App| labels.iter().all(|label| app.labels.contains(&label.to_string()));
        self.apps.iter().filter(carries)
    }
}

impl App {
    /// The container that new connections go to.
    pub(crate) fn routed(&self) -> Option<&Container> {
        let id = self.routed.as_ref()?;
        self.containers.iter().find(|container| container.id == *id)
    }

    /// The one whose id is `text`, else whose name it is, else whose id begins with it: Docker's order.
    pub(crate) fn container(&self, text: &str) -> Option<&Container> {
        let first = |is: &dyn Fn(&Container) -> bool| self.containers.iter().find(|one| is(one));
        first(&|one| one.id == text)
            .or_else(|| first(&|one| one.name == text))
            .or_else(|| first(&|one| one.id.starts_with(text)))
    }

    /// The newest of those that came after `other`, or after none.
    pub(crate) fn newest_after(&self, other: Option<&Container>) -> Option<&Container> {
        let newer = |container: &&Container| other.is_none_or(|other| container.is_newer_than(other));
        self.containers.iter().filter(newer).max_by_key(|container| container.age_order())
    }
}

impl Container {
    /// The order in which the proxy prefers them.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.age_order() > other.age_order()
    }

    /// Whether it does what it should. What is not ready gets connections if nothing else can.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == "ready"
    }

    /// By what it is older or newer than others: when it was created, then its id.
    pub(crate) fn age_order(&self) -> (i64, &str) {
        (self.created, &self.id)
    }

    /// The name and why it does not serve, for people.
    pub(crate) fn trouble(&self) -> String {
        format!("{} is {}: {}", self.name, self.state, self.reason.as_deref().unwrap_or("no reason is known"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_found_by_labels_and_a_container_by_id_or_name() {
        let container = |id: &str, created| Container {
            id: id.into(),
            name: format!("n-{id}"),
            created,
            ..Container::default()
        };
        let app = App {
            labels: vec!["app=web".into(), "stage".into()],
            routed: Some("bb".into()),
            containers: vec![container("cc", 3), container("bb", 2), container("aa", 1)],
            ..App::default()
        };
        let document = Document { apps: vec![app.clone()], ..Document::default() };
        for (labels, found) in [
            (&["app=web"][..], true),
            (&["stage", "app=web"], true),
            (&["app"], false),
            (&["app=web", "x"], false),
        ] {
            let labels: Vec<Label> = labels.iter().map(|label| label.parse().unwrap()).collect();
            assert_eq!(document.with_labels(&labels).count() == 1, found, "{labels:?}");
        }
        let id = |container: Option<&Container>| container.map(|container| container.id.clone());
        assert_eq!(id(app.routed()), Some("bb".into()));
        assert_eq!(
            (id(app.container("a")), id(app.container("n-cc"))),
            (Some("aa".into()), Some("cc".into()))
        );
        assert_eq!(
            (id(app.newest_after(None)), id(app.newest_after(app.container("cc")))),
            (Some("cc".into()), None)
        );
    }
    #[test]
    fn an_id_comes_before_a_name_and_a_name_before_the_beginning_of_an_id() {
        let container =
            |id: &str, name: &str| Container { id: id.into(), name: name.into(), ..Container::default() };
        let containers =
            vec![container("abc", "x"), container("cc", "ab"), container("dd", "ee"), container("ee", "y")];
        let app = App { containers, ..App::default() };
        for (text, id) in [("ab", "cc"), ("abc", "abc"), ("ee", "ee"), ("e", "ee"), ("d", "dd")] {
            assert_eq!(app.container(text).map(|one| one.id.as_str()), Some(id), "{text}");
        }
        assert_eq!(app.container("f"), None);
    }
}
