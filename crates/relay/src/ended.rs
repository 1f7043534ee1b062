//! The end of a connection, as data: one log line and some counters come from it.

use std::fmt;
use std::io;
use std::time::Duration;

/// How a carried connection went and why it is over.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Payload bytes delivered from the client to the backend.
    pub up: u64,
    /// Payload bytes delivered from the backend to the client.
    pub down: u64,
    /// Who ended it.
    pub by: Side,
    /// Why it is over.
    pub why: Why,
    /// From the start of carrying to its end.
    pub lasted: Duration,
}

/// A side of a carried connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Backend,
    /// We ourselves: a limit, a deadline, an operator.
    Here,
}

impl Side {
    /// The word for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Here => "here",
        }
    }
}

/// Why a carried connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// An orderly end: all that the side which ended it had sent was delivered.
    Eof,
    /// A socket was reset or failed; the other side was reset too.
    Failed(io::ErrorKind),
    /// The stream ended in the middle of something: what was delivered is not all.
    Truncated,
    /// The peer broke the protocol; the text says how.
    Protocol(&'static str),
    /// The peer ended the carrying protocol with this code, which is not the code of an orderly end.
    Code(u16),
    /// An end of the carrying protocol was told to end it, for the reason that the text says.
    Ended(&'static str),
    /// We are stopping.
    Stopped,
    /// We cut it: nothing was carried for as long as that is allowed.
    Idle,
    /// We cut it: it was as old as it may become.
    Lifetime,
}

impl Why {
    /// Whether everything was delivered and the end was orderly.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Eof)
    }

    /// All that [`Why::word`] says.
    pub const WORDS: [&str; 9] =
        ["eof", "failed", "truncated", "protocol", "code", "ended", "stopped", "idle", "lifetime"];

    /// One word, for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Eof => "eof",
            Self::Failed(_) => "failed",
            Self::Truncated => "truncated",
            Self::Protocol(_) => "protocol",
            Self::Code(_) => "code",
            Self::Ended(_) => "ended",
            Self::Stopped => "stopped",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
        }
    }

    /// What an end of file means on a socket to which a write has failed, if one has.
    ///
    /// A reset or a time-out is told once. If a write was told, the next read finds an end of file that
    /// the peer never sent. After a broken pipe it is a true one: the peer's end came first.
    pub fn of_eof_after(failed_write: Option<io::ErrorKind>) -> Self {
        match failed_write {
            None | Some(io::ErrorKind::BrokenPipe | io::ErrorKind::WriteZero) => Self::Eof,
            Some(kind) => Self::Failed(kind),
        }
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            kind => Self::Failed(kind),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("end of file"),
            Self::Failed(kind) => write!(f, "{kind}"),
            Self::Truncated => f.write_str("truncated"),
            Self::Protocol(what) => write!(f, "protocol error: {what}"),
            Self::Code(code) => write!(f, "close code {code}"),
            Self::Ended(reason) => f.write_str(reason),
            Self::Stopped => f.write_str("stopped"),
            Self::Idle => f.write_str("idle"),
            Self::Lifetime => f.write_str("maximum lifetime"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_word() {
        let failed = Why::Failed(io::ErrorKind::TimedOut);
        let all = [
            Why::Eof,
            failed,
            Why::Truncated,
            Why::Protocol(""),
            Why::Code(1001),
            Why::Ended("x"),
            Why::Stopped,
            Why::Idle,
            Why::Lifetime,
        ];
        assert_eq!(all.each_ref().map(Why::word), Why::WORDS);
    }
}
