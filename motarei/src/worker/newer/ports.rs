//! Which ports of a newer container must be ready before ours may go.

use std::collections::BTreeSet;

use crate::container::{Container, MOST_PORTS};

/// The ports that are proxied: what the labels say, else all that are known, within reason.
pub(super) fn of(container: &Container) -> Vec<u16> {
    let wishes = &container.wishes;
    match (&wishes.listen, &wishes.ports) {
        (Some(rules), _) => rules.iter().map(|rule| rule.port).collect(),
        (None, Some(ports)) => ports.clone(),
        (None, None) => container.ports.keys().copied().take(MOST_PORTS).collect(),
    }
}

/// The ports on which ours listens must all be ready. If it is not known which, one is enough: an image may
/// expose ports on which it does not listen.
#[derive(Debug)]
pub(super) struct Judged {
    left: Vec<u16>,
    all: bool,
    ready: bool,
    trouble: Option<String>,
}

impl Judged {
    pub(super) fn new(ports: Vec<u16>, listening: Option<&BTreeSet<u16>>) -> Self {
        let is_ours = |port: &u16| listening.is_some_and(|listening| listening.contains(port));
        let both: Vec<_> = ports.iter().copied().filter(is_ours).collect();
        let all = !both.is_empty();
        Self { left: if all { both } else { ports }, all, ready: false, trouble: None }
    }

    /// The next port to ask; none when it is clear.
    pub(super) fn next(&mut self) -> Option<u16> {
        let is_clear = if self.all { self.trouble.is_some() } else { self.ready };
        if is_clear { None } else { self.left.pop() }
    }

    /// What it answered.
    pub(super) fn tell(&mut self, answer: Result<(), String>) {
        match answer {
            Ok(()) => self.ready = true,
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    pub(super) fn verdict(self) -> Result<(), String> {
        match (self.ready, self.trouble) {
            (true, None) => Ok(()),
            (true, Some(_)) if !self.all => Ok(()),
            (_, Some(trouble)) => Err(trouble),
            (false, None) => {
                Err("no TCP port of it is known: expose one, or give the label motarei.port".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Wishes, tests::container};

    #[test]
    fn all_that_ours_serves_must_be_ready_or_any_if_that_is_unknown() {
        let known = |ports: &[u16]| Some(ports.iter().copied().collect::<BTreeSet<_>>());
        for (ports, listening, ready, expected) in [
            (&[80, 443][..], known(&[80]), &[80][..], true),
            (&[80, 443], known(&[80]), &[443], false),
            (&[80, 443], known(&[80, 443, 9000]), &[80], false),
            (&[80, 443], known(&[80, 443]), &[80, 443], true),
            (&[80, 443], known(&[]), &[443], true),
            (&[80, 443], None, &[80], true),
            (&[80, 443], None, &[], false),
            (&[], None, &[], false),
        ] {
            let mut judged = Judged::new(ports.to_vec(), listening.as_ref());
            while let Some(port) = judged.next() {
                judged.tell(if ready.contains(&port) { Ok(()) } else { Err("refuses".into()) });
            }
            assert_eq!(judged.verdict().is_ok(), expected, "{ports:?} {listening:?} {ready:?}");
        }
    }

    #[test]
    fn labels_say_which_ports_count() {
        let of = |wishes| of(&Container { wishes, ..container("a", 1) });
        let listen = Some(vec![":80=8080".parse().unwrap()]);
        assert_eq!(of(Wishes::default()), [8000]);
        assert_eq!(of(Wishes { ports: Some(vec![1, 2]), ..Wishes::default() }), [1, 2]);
        assert_eq!(of(Wishes { listen, ports: Some(vec![1]), ..Wishes::default() }), [8080]);
    }
}
