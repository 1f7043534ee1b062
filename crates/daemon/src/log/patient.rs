//! A log that nobody reads must not stop the program.
//!
//! A write to a full pipe waits until somebody reads it, and with it would wait every thread that has
//! something to log. So a line is written only when there is room for it, which is waited for once; then lines are
//! lost, and counted, until there is room again.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader may be behind before lines are lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where lines go, without waiting for long.
pub(super) trait Sink: Send {
    /// Writes a whole line, of [`super::line::LONGEST`] at most. False: there is no room, and nothing was written.
    fn put(&mut self, line: &[u8]) -> bool;
}

/// A descriptor that others may share, so that its mode (O_NONBLOCK) is not ours to change.
pub(super) struct Patient<W> {
    out: W,
    patience: Duration,
    /// There was no room for the line before
    full: bool,
}

impl<W: Write + AsFd + Send> Patient<W> {
    pub(super) fn new(out: W) -> Self {
        Patient { out, patience: PATIENCE, full: false }
    }

    /// Room in a pipe is room for PIPE_BUF bytes at least (pipe(7)), which is a longest line. A file always
    /// has room, and whatever is no longer read by anybody: then the write fails.
    fn has_room(&self, patience: Duration) -> bool {
        let timeout = Timespec::try_from(patience).ok();
        let mut fds = [PollFd::new(&self.out, PollFlags::OUT)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => ready > 0,
            Err(_) => true, // a poll that does not work tells nothing
        }
    }
}

impl<W: Write + AsFd + Send> Sink for Patient<W> {
    fn put(&mut self, line: &[u8]) -> bool {
        let patience = if self.full { Duration::ZERO } else { self.patience };
        self.full = !self.has_room(patience);
        if !self.full {
            // There is nowhere to report that the log cannot be written.
            let _ = self.out.write_all(line);
        }
        !self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, PipeReader, Read};

    fn patient() -> (Patient<io::PipeWriter>, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (Patient { patience: Duration::from_millis(50), ..Patient::new(writer) }, reader)
    }

    #[test]
    fn a_full_pipe_is_waited_for_once_and_taken_up_again() {
        let (mut out, mut reader) = patient();
        let line = [b'x'; super::super::line::LONGEST];
        let begun = std::time::Instant::now();
        let written = (0..10_000).filter(|_| out.put(&line)).count();
        assert!(begun.elapsed() < Duration::from_secs(20), "it waits each time");
        assert_eq!(written, 65_536 / line.len(), "all that fits (pipe(7))");

        reader.read_exact(&mut vec![0; line.len()]).unwrap();
        assert!(out.put(b"again\n"));
        drop(reader);
        assert!(out.put(b"to nobody\n"), "that is no reason to wait");
    }
}
