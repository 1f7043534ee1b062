//! The labels with which a container says how it wants to be proxied.
//!
//! ```text
//! motarei.port    8000 or 8000,8443       its private ports, if not all of those it exposes
//! motarei.listen  0.0.0.0:80=8000, …      listeners, as --listen has them
//! motarei.probe   tcp or http:/path       how to ask whether it is ready
//! motarei.drain   30s                     how long its connections may go on when it is to end
//! ```
//!
//! `motarei run` adds `motarei.begun`: when it was started, in nanoseconds since 1970.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use daemon::GoDuration;
use daemon::listen::ListenAddr;

use super::MOST_PORTS;
use crate::probe::Check;
use crate::rule::Rule;

/// The label that says when the container's deploy began.
pub(crate) const BEGUN: &str = "motarei.begun";

/// What the labels say; nothing where one is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) listen: Option<Vec<Rule>>,
    pub(crate) probe: Option<Check>,
    pub(crate) drain: Option<Duration>,
    /// In nanoseconds since 1970.
    pub(crate) begun: Option<i64>,
    /// Labels that cannot be read, each with the reason; they count as missing.
    pub(crate) wrong: Vec<String>,
}

impl Wishes {
    pub(super) fn read(labels: &HashMap<String, String>) -> Self {
        let mut wrong = Vec::new();
        let ports = read(labels, "motarei.port", &mut wrong, list::<Port>);
        let listen = read(labels, "motarei.listen", &mut wrong, listeners);
        let probe = read(labels, "motarei.probe", &mut wrong, one::<Check>);
        let drain = read(labels, "motarei.drain", &mut wrong, one::<GoDuration>);
        let begun = read(labels, BEGUN, &mut wrong, one::<i64>);
        let ports = ports.map(|ports| ports.into_iter().map(|port| port.0).collect());
        Self { ports, listen, probe, drain: drain.map(|drain| drain.0), begun, wrong }
    }
}

fn read<T>(
    labels: &HashMap<String, String>,
    name: &str,
    wrong: &mut Vec<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    match parse(labels.get(name)?) {
        Ok(value) => Some(value),
        Err(why) => {
            wrong.push(format!("{name}: {why}"));
            None
        }
    }
}

fn one<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|error: T::Err| error.to_string())
}

/// Each entry is listened on and asked: a label must not make that thousands.
fn list<T: FromStr<Err: Display>>(text: &str) -> Result<Vec<T>, String> {
    match text.split(',').count() {
        count if count > MOST_PORTS => Err(format!("{count} are too many, write {MOST_PORTS} at most")),
        _ => text.split(',').map(one).collect(),
    }
}

/// A label may come with an image, and whoever made that shall not put files on this host.
fn listeners(text: &str) -> Result<Vec<Rule>, String> {
    let rules: Vec<Rule> = list(text)?;
    match rules.iter().find(|rule| matches!(rule.listen, ListenAddr::Unix(_))) {
        Some(rule) => Err(format!("{} is a file; only --listen and --config may name one", rule.listen)),
        None => Ok(rules),
    }
}

struct Port(u16);

impl FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = text.parse().ok().filter(|port| *port != 0);
        port.map(Self).ok_or("a port is a number from 1 to 65535")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(labels: &[(&str, &str)]) -> Wishes {
        Wishes::read(
            &labels.iter().map(|(name, value)| (format!("motarei.{name}"), (*value).to_owned())).collect(),
        )
    }

    #[test]
    fn reads_the_labels() {
        let rules = |list: &[&str]| Some(list.iter().map(|rule| rule.parse().unwrap()).collect());
        for (labels, expected) in [
            (&[][..], Wishes::default()),
            (&[("port", "8000")], Wishes { ports: Some(vec![8000]), ..Wishes::default() }),
            (&[("port", "80, 443")], Wishes { ports: Some(vec![80, 443]), ..Wishes::default() }),
            (
                &[("listen", ":80=8000, [::1]:81=8000")],
                Wishes { listen: rules(&[":80=8000", "[::1]:81=8000"]), ..Wishes::default() },
            ),
            (
                &[("probe", "http:/up")],
                Wishes { probe: Some(Check::Http("/up".into())), ..Wishes::default() },
            ),
            (&[("drain", "1m")], Wishes { drain: Some(Duration::from_secs(60)), ..Wishes::default() }),
            (
                &[("begun", "1795305665799876236")],
                Wishes { begun: Some(1_795_305_665_799_876_236), ..Wishes::default() },
            ),
            (&[("other", "1m")], Wishes::default()),
        ] {
            assert_eq!(wishes(labels), expected, "{labels:?}");
        }
    }

    #[test]
    fn a_label_that_cannot_be_read_is_named_and_left_out() {
        let read =
            wishes(&[("port", "0"), ("listen", "80"), ("probe", "udp"), ("drain", "soon"), ("begun", "now")]);
        assert_eq!(read, Wishes { wrong: read.wrong.clone(), ..Wishes::default() });
        for (wrong, start) in read.wrong.iter().zip([
            "motarei.port: ",
            "motarei.listen: ",
            "motarei.probe: ",
            "motarei.drain: ",
            "motarei.begun: ",
        ]) {
            assert!(wrong.starts_with(start), "{wrong}");
        }
        assert_eq!(read.wrong.len(), 5);
    }

    #[test]
    fn a_label_does_not_open_thousands_of_ports() {
        let many = |count| (1..=count).map(|port: usize| format!(":{port}")).collect::<Vec<_>>().join(",");
        for (count, taken) in [(MOST_PORTS, Some(MOST_PORTS)), (MOST_PORTS + 1, None), (65_535, None)] {
            let (listen, ports) = (many(count), many(count).replace(':', ""));
            let read = wishes(&[("listen", &listen), ("port", &ports)]);
            assert_eq!(
                (read.listen.map(|list| list.len()), read.ports.map(|list| list.len())),
                (taken, taken)
            );
            assert!(read.wrong.iter().all(|wrong| wrong.len() < 100), "{:?}", read.wrong);
        }
    }

    #[test]
    fn a_label_names_no_file() {
        let read = wishes(&[("listen", ":80=8000,unix:/run/x=8000")]);
        assert_eq!(read.listen, None);
        assert!(read.wrong[0].starts_with("motarei.listen: unix:/run/x is a file"), "{:?}", read.wrong);
    }
}
