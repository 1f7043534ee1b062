//! An audit line. The names that the original used stand beside ours.

use std::fmt::Write;
use std::time::SystemTime;

use daemon::log::{is_hostile, utc};
use serde::{Serialize, Serializer};

/// The longest value, in bytes; names and addresses are shorter, and a caller may send 64 KiB.
const LONGEST: usize = 1024;

/// What is said of a request for a tunnel. What is empty is not known.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    time: String,
    /// `open`, `close`, `refused`, or `left`: the caller went before its tunnel was open. Of a session that may
    /// be resumed also `detach`: its WebSocket is gone, `detach-refused`: and there is no room to keep it,
    /// `resume`, by whom the line says, and `expire`: nobody came back.
    event: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    session: &'a str,
    seq: u64,
    user: Bounded<'a>,
    method: &'a str,
    /// The fingerprint of the key that verified the caller, shortened.
    key: &'a str,
    destination: Bounded<'a>,
    upstream: Bounded<'a>,
    peer: &'a str,
    forwarded_for: Bounded<'a>,
    dialect: u8,
    #[serde(flatten)]
    pub(crate) refused: Option<Refused<'a>>,
    #[serde(flatten)]
    pub(crate) closed: Option<Closed>,
    #[serde(rename = "user-email")]
    user_email: Bounded<'a>,
    #[serde(rename = "remote-addr")]
    remote_addr: &'a str,
    #[serde(rename = "x-forwarded-for")]
    x_forwarded_for: Bounded<'a>,
}

/// Why there is no tunnel.
#[derive(Serialize)]
pub(crate) struct Refused<'a> {
    pub(crate) status: u16,
    pub(crate) refusal: &'a str,
    pub(crate) reason: Bounded<'a>,
}

/// How a tunnel went.
#[derive(Serialize)]
pub(crate) struct Closed {
    /// Bytes from the caller to the destination.
    up: u64,
    /// Bytes from the destination to the caller.
    down: u64,
    seconds: f64,
    by: &'static str,
    why: String,
    /// How often it was resumed.
    resumes: u32,
    read: u64,
    write: u64,
    disconnect_at: String,
}

impl Closed {
    /// How it ended, after so many resumes.
    pub(crate) fn new(ended: &relay::Ended, resumes: u32) -> Self {
        Self {
            up: ended.up,
            down: ended.down,
            seconds: ended.lasted.as_secs_f64(),
            by: ended.by.name(),
            why: ended.why.to_string(),
            resumes,
            read: ended.up,
            write: ended.down,
            disconnect_at: utc(SystemTime::now()),
        }
    }
}

/// A value of the caller's choosing, cut if it is long.
#[derive(Clone, Copy)]
pub(crate) struct Bounded<'a>(pub(crate) &'a str);

impl Serialize for Bounded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= LONGEST {
            return serializer.serialize_str(self.0);
        }
        let cut = (0..=LONGEST).rev().find(|at| self.0.is_char_boundary(*at)).unwrap_or(0);
        serializer.serialize_str(&format!("{}…", &self.0[..cut]))
    }
}

/// What a line needs of a request.
pub(crate) struct Known<'a> {
    pub(crate) session: &'a str,
    pub(crate) seq: u64,
    pub(crate) user: &'a str,
    pub(crate) method: &'a str,
    pub(crate) key: &'a str,
    pub(crate) destination: &'a str,
    pub(crate) upstream: &'a str,
    pub(crate) peer: &'a str,
    pub(crate) forwarded_for: &'a str,
    pub(crate) dialect: u8,
}

impl<'a> Line<'a> {
    /// A line about a request, as of now.
    pub(crate) fn new(event: &'static str, known: &Known<'a>) -> Self {
        Self {
            time: utc(SystemTime::now()),
            event,
            session: known.session,
            seq: known.seq,
            user: Bounded(known.user),
            method: known.method,
            key: known.key,
            destination: Bounded(known.destination),
            upstream: Bounded(known.upstream),
            peer: known.peer,
            forwarded_for: Bounded(known.forwarded_for),
            dialect: known.dialect,
            refused: None,
            closed: None,
            user_email: Bounded(known.user),
            remote_addr: known.peer,
            x_forwarded_for: Bounded(known.forwarded_for),
        }
    }

    /// One line of JSON, its end included. serde_json escapes what JSON must (RFC 8259, 7); what could still
    /// end a line or rearrange it for somebody's viewer only occurs within strings, and is escaped here.
    pub(super) fn render(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
        let mut line = String::with_capacity(json.len() + 1);
        for c in json.chars() {
            match is_hostile(c) {
                true => drop(write!(line, "\\u{:04x}", u32::from(c))),
                false => line.push(c),
            }
        }
        line.push('\n');
        line
    }
}
