//! The names of files in a work directory, and xids.
//!
//! ```text
//! sabo_100000000.group                              a group: what its members share
//! sabo_one.group                                    that of --one-budget
//! _sabo_100000000.cq1v0l2j5s0c73f0e9qg              the same, being written
//! sabo_100000000_4711_cq1v0l2j5s0c73f0e9qg.lock     somebody is here, an original or one of ours
//! sabo_100000000_4711.lock                          the same, of an older original
//! _sabo_100000000_4711_cq1v0l2j5s0c73f0e9qg.lock    the same, not locked yet
//! ```

use std::fmt;
use std::str::FromStr;

use crate::clock;
use crate::{Bandwidth, bandwidth::InvalidAmount};

/// Which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// That of this limit, in bytes a second.
    Limit(u64),
    /// That of `--one-budget`.
    One,
}

/// What a name says about its file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    Group(Key),
    Lock { limit: u64, xid: Option<&'a str> },
    Draft,
}

impl Key {
    pub(crate) fn file(self) -> String {
        format!("sabo_{}.group", self.digits())
    }

    pub(crate) fn draft(self, xid: &Xid) -> String {
        format!("_sabo_{}.{xid}", self.digits())
    }

    fn digits(self) -> String {
        match self {
            Self::Limit(limit) => limit.to_string(),
            Self::One => "one".to_owned(),
        }
    }
}

/// As in `--group`: `100M` or `one`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => match Bandwidth::new(*limit) {
                Some(limit) => limit.fmt(f),
                None => f.write_str("0"),
            },
            Self::One => f.write_str("one"),
        }
    }
}

impl FromStr for Key {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "one" { Ok(Self::One) } else { Ok(Self::Limit(text.parse::<Bandwidth>()?.bytes())) }
    }
}

/// Only a name that matches in full is ours to count or to remove.
pub(crate) fn parse(name: &str) -> Option<Name<'_>> {
    if let Some(rest) = name.strip_prefix("_sabo_") {
        let lock = rest.strip_suffix(".lock").and_then(lock).is_some();
        let group = rest.split_once('.').is_some_and(|(digits, xid)| key(digits).is_some() && is_xid(xid));
        return (lock || group).then_some(Name::Draft);
    }
    let rest = name.strip_prefix("sabo_")?;
    match rest.strip_suffix(".group") {
        Some(digits) => key(digits).map(Name::Group),
        None => lock(rest.strip_suffix(".lock")?),
    }
}

fn key(digits: &str) -> Option<Key> {
    if digits == "one" { Some(Key::One) } else { number(digits).filter(|limit| *limit > 0).map(Key::Limit) }
}

/// `100000000_4711_cq1v0l2j5s0c73f0e9qg`
fn lock(rest: &str) -> Option<Name<'_>> {
    let (limit, rest) = rest.split_once('_')?;
    let (pid, xid) = rest.split_once('_').map_or((rest, None), |(pid, xid)| (pid, Some(xid)));
    let limit = number(limit)?;
    (number(pid).is_some() && xid.is_none_or(is_xid)).then_some(Name::Lock { limit, xid })
}

/// As it is printed: no sign, no zeros before it.
fn number(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

pub(crate) fn is_xid(text: &str) -> bool {
    text.len() == Xid::LENGTH && text.bytes().all(|b| LETTERS.contains(&b))
}

/// A name that nobody else has (github.com/rs/xid): the seconds since 1970, then eight bytes, random here,
/// in the base 32 of RFC 4648 section 7, small letters, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Xid([u8; Xid::LENGTH]);

impl Xid {
    pub(crate) const LENGTH: usize = 20;

    pub(crate) fn new() -> Self {
        let seconds = u128::from(clock::epoch() & u64::from(u32::MAX));
        // 96 bits, with four zero bits behind them, make 20 letters.
        let bits = (seconds << 64 | u128::from(rand::random::<u64>())) << 4;
        Self(std::array::from_fn(|i| LETTERS[(bits >> (5 * (Self::LENGTH - 1 - i))) as usize & 31]))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_full_matches_only() {
        let xid = "cq1v0l2j5s0c73f0e9qg";
        let table = [
            ("sabo_100.group", Some(Name::Group(Key::Limit(100)))),
            ("sabo_one.group", Some(Name::Group(Key::One))),
            ("sabo_100_4711_cq1v0l2j5s0c73f0e9qg.lock", Some(Name::Lock { limit: 100, xid: Some(xid) })),
            ("sabo_100_4711.lock", Some(Name::Lock { limit: 100, xid: None })),
            ("_sabo_100_4711_cq1v0l2j5s0c73f0e9qg.lock", Some(Name::Draft)),
            ("_sabo_100_4711.lock", Some(Name::Draft)),
            ("_sabo_100.cq1v0l2j5s0c73f0e9qg", Some(Name::Draft)),
            ("_sabo_one.cq1v0l2j5s0c73f0e9qg", Some(Name::Draft)),
            ("_sabo_one.group", None),
            ("sabo_0.group", None),
            ("sabo_0100.group", None),
            ("sabo_+100.group", None),
            ("sabo_100.group.bak", None),
            ("sabo_100_x_cq1v0l2j5s0c73f0e9qg.lock", None),
            ("sabo_100_4711_CQ1V0L2J5S0C73F0E9QG.lock", None),
            ("sabo_100_4711_cq1v0l2j5s0c73f0e9qw.lock", None),
            ("sabo_100_4711_cq1v0l2j5s0c73f0e9qg.lock.gz", None),
            ("sabo_notes.lock", None),
            ("sabo_99999999999999999999.group", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(parse(name), expected, "{name}");
        }
    }

    #[test]
    fn xids_are_unique_and_of_the_form() {
        let (one, two) = (Xid::new(), Xid::new());
        assert_ne!(one, two);
        assert!(is_xid(&one.to_string()), "{one}");
        assert_eq!(parse(&Key::One.draft(&one)), Some(Name::Draft));
        for key in [Key::One, Key::Limit(1), Key::Limit(u64::MAX >> 11)] {
            assert_eq!(parse(&key.file()), Some(Name::Group(key)));
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
