//! The `Wsgate-Tunnel` header, by which both ends agree on dialect 2.
//!
//! ```text
//!   client   Wsgate-Tunnel: 2; window=1048576; resume=yes
//!   server   Wsgate-Tunnel: 2; window=1048576; session=AAECAwQFBgcICQoLDA0ODw; instance=00c0ffee; grace=120
//!
//!   client   Wsgate-Tunnel: 2; session=AAECAwQFBgcICQoLDA0ODw; received=4711; attempt=1
//!   server   Wsgate-Tunnel: 2; received=815
//! ```
//!
//! No header, or one of another version, on either side means dialect 1. Unknown parameters are ignored;
//! what is there twice or cannot be read is an error, which a server answers with 400.

use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::session_id::{Instance, SessionId};

/// The header's name.
pub const TUNNEL: HeaderName = HeaderName::from_static("wsgate-tunnel");
/// The smallest window that may be offered, in bytes; every window starts with it.
pub const MIN_WINDOW: u32 = 64 * 1024;
/// The window that is offered unless the user says otherwise, in bytes.
pub const DEFAULT_WINDOW: u32 = 1024 * 1024;
/// The largest window, in bytes. An offer above it counts as it.
pub const MAX_WINDOW: u32 = 16 * 1024 * 1024;

/// What the header says, as far as it is known to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The largest window that this end offers, in bytes, [`MIN_WINDOW`] to [`MAX_WINDOW`]. The smaller
    /// offer wins and is fixed for the session.
    pub window: Option<u32>,
    /// Whether the session shall outlive its WebSocket.
    pub resume: Option<bool>,
    /// The session: new in an answer, to be resumed in a request.
    pub session: Option<SessionId>,
    /// A resume: how far this end has received the other's stream.
    pub received: Option<u64>,
    /// A resume: rises with each upgrade that the client starts.
    pub attempt: Option<u32>,
    /// The process that answers.
    pub instance: Option<Instance>,
    /// How long a session is kept without a WebSocket; whole seconds.
    pub grace: Option<Duration>,
    /// How long a WebSocket lives at most, as far as the server knows; whole seconds.
    pub lifetime: Option<Duration>,
}

/// Why a header cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// There are two of it, or one parameter twice.
    #[error("Wsgate-Tunnel says something twice")]
    Twice,
    /// A parameter is not of the form it must have, or the parameters do not belong together.
    #[error("Wsgate-Tunnel cannot be read")]
    Malformed,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new session.
    New {
        /// The largest window it offers, in bytes.
        window: u32,
        /// Whether it would resume the session.
        resume: bool,
    },
    /// That a session goes on over this WebSocket.
    Resume {
        /// Which.
        session: SessionId,
        /// The position up to which the client has received the server's stream.
        received: u64,
        /// Which of the client's upgrades this is.
        attempt: u32,
    },
}

impl Header {
    /// Reads the header, if it is there in our version.
    ///
    /// # Errors
    /// If it is there twice, or cannot be read.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, BadHeader> {
        let mut all = headers.get_all(TUNNEL).iter();
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(BadHeader::Twice),
            (Some(value), None) => Self::parse(value.to_str().map_err(|_| BadHeader::Malformed)?),
        }
    }

    fn parse(text: &str) -> Result<Option<Self>, BadHeader> {
        let mut items = text.split(';').map(|item| item.trim_matches([' ', '\t']));
        let version = items.next().unwrap_or("");
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadHeader::Malformed);
        }
        if version != "2" {
            return Ok(None);
        }
        // A proxy may join two headers with a comma; no value of ours has one.
        if text.contains(',') {
            return Err(BadHeader::Twice);
        }
        let mut header = Self::default();
        for item in items {
            let (name, value) = item.split_once('=').ok_or(BadHeader::Malformed)?;
            header.set(name, value)?;
        }
        Ok(Some(header))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), BadHeader> {
        match name.to_ascii_lowercase().as_str() {
            "window" => once(&mut self.window, window(value)),
            "resume" => once(&mut self.resume, yes_or_no(value)),
            "session" => once(&mut self.session, value.parse().ok()),
            "received" => once(&mut self.received, number(value)),
            "attempt" => once(&mut self.attempt, number(value)),
            "instance" => once(&mut self.instance, value.parse().ok()),
            "grace" => once(&mut self.grace, number(value).map(Duration::from_secs)),
            "lifetime" => once(&mut self.lifetime, number(value).map(Duration::from_secs)),
            _ => Ok(()),
        }
    }

    /// What a client's header asks for. No window means the default one, no word about resuming that it
    /// would resume.
    ///
    /// # Errors
    /// If it is neither a new session nor a complete resume.
    pub fn request(&self) -> Result<Request, BadHeader> {
        match (self.session, self.received, self.attempt) {
            (None, None, None) => Ok(Request::New {
                window: self.window.unwrap_or(DEFAULT_WINDOW),
                resume: self.resume.unwrap_or(true),
            }),
            (Some(session), Some(received), Some(attempt)) => {
                Ok(Request::Resume { session, received, attempt })
            }
            _ => Err(BadHeader::Malformed),
        }
    }

    /// The header's value. It is marked as sensitive, since it may have the session's secret in it.
    pub fn to_value(&self) -> HeaderValue {
        let mut text = String::from("2");
        put(&mut text, "window", self.window);
        put(&mut text, "resume", self.resume.map(|resume| if resume { "yes" } else { "no" }));
        put(&mut text, "session", self.session.map(|session| session.reveal()));
        put(&mut text, "received", self.received);
        put(&mut text, "attempt", self.attempt);
        put(&mut text, "instance", self.instance);
        put(&mut text, "grace", self.grace.map(|grace| grace.as_secs()));
        put(&mut text, "lifetime", self.lifetime.map(|lifetime| lifetime.as_secs()));
        let mut value = HeaderValue::try_from(text).expect("digits, letters and punctuation");
        value.set_sensitive(true);
        value
    }
}

impl Request {
    /// The header that asks for it.
    pub fn header(&self) -> Header {
        match *self {
            Self::New { window, resume } => {
                Header { window: Some(window), resume: Some(resume), ..Header::default() }
            }
            Self::Resume { session, received, attempt } => Header {
                session: Some(session),
                received: Some(received),
                attempt: Some(attempt),
                ..Header::default()
            },
        }
    }
}

fn put(text: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        write!(text, "; {name}={value}").expect("a String takes all");
    }
}

/// Sets what is not set yet to what could be read.
fn once<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), BadHeader> {
    if place.is_some() {
        return Err(BadHeader::Twice);
    }
    *place = Some(value.ok_or(BadHeader::Malformed)?);
    Ok(())
}

/// Digits only: `FromStr` would take a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn window(text: &str) -> Option<u32> {
    let bytes: u64 = number(text)?;
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(MAX_WINDOW);
    (bytes >= MIN_WINDOW).then_some(bytes)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
