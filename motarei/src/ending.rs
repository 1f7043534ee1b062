//! How a carried connection ended: the words for the log and for the counts.

use std::fmt;

use relay::{Ended, Side, Why};

/// Why we ended a connection that would have gone on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// We are stopping, and it had its time.
    Drained,
    /// Its container runs no more, and has not closed it.
    ContainerEnded,
    /// Nothing moved, and it kept an old container alive.
    Pinned,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drained => "--drain is over",
            Self::ContainerEnded => "the container ended without a word",
            Self::Pinned => "idle, and it pinned an old container",
        })
    }
}

/// All that [`word`] says.
pub(crate) const WORDS: [&str; 7] =
    ["eof", "client-failed", "container-failed", "drained", "container-ended", "idle", "stopped"];

/// The word for an end: in order, broken by whom, or cut by us.
pub(crate) fn word(ended: &Ended, cut: Option<Cut>) -> &'static str {
    match (&ended.why, cut, ended.by) {
        (Why::Stopped, Some(Cut::Drained), _) => "drained",
        (Why::Stopped, Some(Cut::ContainerEnded), _) => "container-ended",
        (Why::Stopped, Some(Cut::Pinned), _) => "idle",
        (Why::Eof, ..) => "eof",
        (Why::Stopped, None, _) | (_, _, Side::Here) => "stopped",
        (_, _, Side::Client) => "client-failed",
        (_, _, Side::Backend) => "container-failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::ConnectionReset;
    use std::time::Duration;

    #[test]
    fn every_end_has_a_word_that_is_counted() {
        for (why, by, cut, expected) in [
            (Why::Eof, Side::Client, None, "eof"),
            (Why::Eof, Side::Backend, Some(Cut::Drained), "eof"),
            (Why::Failed(ConnectionReset), Side::Client, None, "client-failed"),
            (Why::Failed(ConnectionReset), Side::Backend, None, "container-failed"),
            (Why::Truncated, Side::Backend, Some(Cut::Pinned), "container-failed"),
            (Why::Stopped, Side::Here, Some(Cut::Drained), "drained"),
            (Why::Stopped, Side::Here, Some(Cut::ContainerEnded), "container-ended"),
            (Why::Stopped, Side::Here, Some(Cut::Pinned), "idle"),
            (Why::Stopped, Side::Here, None, "stopped"),
        ] {
            let ended = Ended { up: 0, down: 0, by, why: why.clone(), lasted: Duration::ZERO };
            assert_eq!(word(&ended, cut), expected, "{why:?} {by:?} {cut:?}");
            assert!(WORDS.contains(&expected));
        }
    }
}
