//! The list of those who are reached without a proxy: `NO_PROXY`.

use std::convert::Infallible;
use std::str::FromStr;

use ipnet::IpNet;

use crate::Host;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Without {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    who: Who,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Everybody,
    /// The name without a dot in front
    NameAndBelow(String),
    /// The name with a dot in front
    Below(String),
    Network(IpNet),
}

impl Without {
    pub(super) fn contains(&self, host: &Host, port: u16) -> bool {
        self.entries.iter().any(|entry| entry.port.is_none_or(|own| own == port) && entry.who.is(host))
    }
}

/// What cannot be read is left out, as all programs with this variable do.
impl FromStr for Without {
    type Err = Infallible;

    fn from_str(list: &str) -> Result<Self, Infallible> {
        let entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
        Ok(Without { entries: entries.filter_map(entry).collect() })
    }
}

fn entry(text: &str) -> Option<Entry> {
    let text = text.to_ascii_lowercase();
    if let Some(who) = network(&text) {
        return Some(Entry { who, port: None });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (text.as_str(), None),
    };
    Some(Entry { who: network(name).or_else(|| self::name(name))?, port })
}

fn network(text: &str) -> Option<Who> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = || bare.parse().map(|address: std::net::IpAddr| IpNet::from(address.to_canonical()));
    bare.parse().or_else(|_| address()).ok().map(Who::Network)
}

fn name(text: &str) -> Option<Who> {
    let text = text.strip_prefix('*').unwrap_or(text);
    match text.strip_prefix('.') {
        Some("") => None,
        Some(_) => Some(Who::Below(text.to_owned())),
        None if text.is_empty() => Some(Who::Everybody),
        None => Some(Who::NameAndBelow(text.to_owned())),
    }
}

impl Who {
    fn is(&self, host: &Host) -> bool {
        match (self, host) {
            (Who::Everybody, _) => true,
            (Who::Network(network), Host::Address(address)) => network.contains(address),
            (Who::Below(suffix), Host::Name(name)) => name.ends_with(suffix),
            (Who::NameAndBelow(own), Host::Name(name)) => {
                let below = || name.strip_suffix(own.as_str()).is_some_and(|rest| rest.ends_with('.'));
                name == own || below()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_list() {
        let rows = [
            ("", "a.example", false),
            ("*", "a.example", true),
            ("*:8443", "a.example", false),
            ("*:443", "a.example", true),
            ("x, ,a.example", "a.example", true),
            ("x a.example", "a.example", true),
            ("A.Example", "a.example", true),
            ("example", "a.example", true),
            ("a.example", "example", false),
            ("example", "notexample", false),
            (".example", "a.example", true),
            (".example", "example", false),
            ("*.example", "b.a.example", true),
            ("a.example:443", "a.example", true),
            ("a.example:80", "a.example", false),
            ("a.example:", "a.example", false),
            ("a.example:x", "a.example", false),
            (".", "a.example", false),
            ("192.0.2.0/24", "192.0.2.77", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.0/33", "192.0.2.1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1:443", "192.0.2.1", true),
            ("192.0.2.1:444", "192.0.2.1", false),
            ("2001:db8::/32", "[2001:db8::1]", true),
            ("2001:db8::1", "[2001:db8::1]", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]:443", "[2001:db8::1]", true),
            ("[2001:db8::1]:80", "[2001:db8::1]", false),
            ("2.1", "192.0.2.1", false),
        ];
        for (list, host, expected) in rows {
            let Ok(without) = Without::from_str(list);
            assert_eq!(without.contains(&host.parse().unwrap(), 443), expected, "{list} {host}");
        }
    }
}
