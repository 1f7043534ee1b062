//! What a certificate says about itself (RFC 5280 section 4.1):
//!
//! ```text
//! SEQ { SEQ tbs, SEQ algorithm, BITS signature }
//! tbs: [0] version, INT serial, SEQ algorithm, SEQ issuer, SEQ { time, time }, SEQ subject, ...
//! name: SEQ { SET { SEQ { OID, text } ... } ... }
//! ```

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{DateTime, Decode, Reader, SliceReader, Tag, Tagged};

const NAMES: [(&str, ObjectIdentifier); 3] = [
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
];

/// From so long before its end a certificate should be replaced.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Whose it is, by whom, and until when.
#[derive(Debug)]
pub struct Certificate {
    subject: String,
    issuer: String,
    until: DateTime,
}

/// `certificate of CN=gw.example.com by CN=Example CA, until 2027-01-15T08:00:00Z`
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, until } = self;
        write!(f, "certificate of {subject} by {issuer}, until {until}")
    }
}

/// That a certificate needs replacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It ends within 14 days.
    Soon,
    /// It has ended.
    Over,
}

impl Certificate {
    /// Reads one in DER. None for what cannot be read; rustls has judged it already.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let outer = elements(AnyRef::from_der(certificate).ok()?)?;
        let tbs = elements(*outer.first()?)?;
        let versioned = usize::from(tbs.first()?.tag() != Tag::Integer);
        let field = |number: usize| tbs.get(versioned + number).copied();
        let until = *elements(field(3)?)?.get(1)?;
        Some(Self { subject: name(field(4)?)?, issuer: name(field(2)?)?, until: time(until)? })
    }

    /// Its last moment.
    pub fn until(&self) -> SystemTime {
        UNIX_EPOCH + self.until.unix_duration()
    }
}

impl Expiry {
    /// Of what is good until `until`; none if there is time enough.
    pub fn at(until: SystemTime, now: SystemTime) -> Option<Self> {
        match until.duration_since(now) {
            Ok(left) if left >= SOON => None,
            Ok(left) if !left.is_zero() => Some(Self::Soon),
            _ => Some(Self::Over),
        }
    }

    /// Seconds until then, below zero when it is past.
    pub fn seconds_left(until: SystemTime, now: SystemTime) -> f64 {
        let left = until.duration_since(now);
        left.map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64())
    }
}

fn elements(sequence: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(found)
}

fn time(element: AnyRef<'_>) -> Option<DateTime> {
    match element.tag() {
        Tag::UtcTime => element.decode_as::<UtcTime>().ok().map(|time| time.to_date_time()),
        _ => element.decode_as::<GeneralizedTime>().ok().map(|time| time.to_date_time()),
    }
}

/// `CN=gw.example.com, O=Example`; `(no name)` where there is none of these.
fn name(element: AnyRef<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for set in elements(element)? {
        for attribute in elements(set)? {
            let pair = elements(attribute)?;
            let oid: ObjectIdentifier = pair.first()?.decode_as().ok()?;
            if let Some((short, _)) = NAMES.iter().find(|(_, known)| *known == oid) {
                parts.push(format!("{short}={}", printable(pair.get(1)?.value())));
            }
        }
    }
    if parts.is_empty() { Some("(no name)".into()) } else { Some(parts.join(", ")) }
}

fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|letter| !letter.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_within_a_fortnight_should_be_replaced() {
        let (now, day) = (UNIX_EPOCH + Duration::from_secs(1_800_000_000), Duration::from_secs(86_400));
        for (until, expected) in [
            (now + 15 * day, None),
            (now + 14 * day, None),
            (now + 13 * day, Some(Expiry::Soon)),
            (now + day, Some(Expiry::Soon)),
            (now, Some(Expiry::Over)),
            (now - day, Some(Expiry::Over)),
        ] {
            assert_eq!(Expiry::at(until, now), expected, "{until:?}");
            assert_eq!(Expiry::seconds_left(until, now) <= 0.0, expected == Some(Expiry::Over), "{until:?}");
        }
    }
}
