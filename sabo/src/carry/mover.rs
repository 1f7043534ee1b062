//! Moving one chunk: inside the kernel by splice(2) where a pipe is at either end, else by read and write.

use std::ops::Range;

use aws_lc_rs::digest::Context as Digest;
use rustix::io::{Errno, read, write};
use rustix::pipe::{SpliceFlags, splice};

use super::Broken;
use super::end::{End, Kind};
use crate::clock::{Clock, Nanos};

/// At most so much is read at once.
const BUFFER: usize = 256 * 1024;

/// And not less, since a shorter read may throw the rest away: of a packet in a pipe (pipe(2), O_DIRECT), of a
/// number in /proc/sys. What exceeds the allowance waits in the buffer.
const PACKET: usize = 4096;

pub(super) struct Mover {
    splices: bool,
    /// Empty until the first read.
    buffer: Vec<u8>,
    /// What of the buffer was read and not written.
    pending: Range<usize>,
    digest: Option<Digest>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes are in the sink. `read` is the time for which the source was waited for, of the whole.
    Bytes { bytes: u64, read: Nanos },
    /// Neither bytes nor the end: a signal, or somebody made the descriptor non-blocking.
    Nothing,
    /// The source has ended.
    End,
}

impl std::fmt::Debug for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mover").field("splices", &self.splices).finish_non_exhaustive()
    }
}

impl Mover {
    pub(super) fn between(source: &End<'_>, sink: &End<'_>) -> Self {
        let kinds = [source.kind, sink.kind];
        let splices = kinds.contains(&Kind::Pipe) && !kinds.contains(&Kind::Terminal);
        Self { splices, buffer: Vec::new(), pending: 0..0, digest: None }
    }

    pub(super) fn hash(&mut self, digest: Digest) {
        self.splices = false;
        self.digest = Some(digest);
    }

    pub(super) fn digest(&mut self) -> Option<String> {
        let digest = self.digest.take()?.finish();
        Some(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    #[cfg(test)]
    pub(super) fn is_splicing(&self) -> bool {
        self.splices
    }

    /// How many bytes were read that are not written.
    pub(super) fn pending(&self) -> u64 {
        self.pending.len() as u64
    }

    /// Moves at most `allowed` bytes, at least one if there is one.
    ///
    /// # Errors
    /// Which side failed.
    pub(super) fn step(
        &mut self,
        source: &End<'_>,
        sink: &End<'_>,
        allowed: u64,
        clock: Clock,
    ) -> Result<Moved, Broken> {
        let allowed = usize::try_from(allowed).unwrap_or(BUFFER).max(1);
        // What was read comes before what splice(2) would find, and a little is spliced of a pipe only.
        if self.pending.is_empty()
            && self.splices
            && (source.kind == Kind::Pipe || allowed >= PACKET)
            && let Some(moved) = self.splice(source, sink, allowed, clock)?
        {
            return Ok(moved);
        }
        self.copy(source, sink, allowed, clock)
    }

    /// None: by read and write. An EINVAL (`>> file`, an odd device) moved nothing, so the change is safe in the
    /// middle of a stream. That the source has ended is believed when read(2) says so.
    fn splice(
        &mut self,
        source: &End<'_>,
        sink: &End<'_>,
        allowed: usize,
        clock: Clock,
    ) -> Result<Option<Moved>, Broken> {
        let begun = clock.now();
        match splice(source.fd, None, sink.fd, None, allowed, SpliceFlags::empty()) {
            Ok(0) => Ok(None),
            Ok(bytes) => {
                let read = if source.kind == Kind::Pipe { 0 } else { clock.now() - begun };
                Ok(Some(Moved::Bytes { bytes: bytes as u64, read }))
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Some(Moved::Nothing)),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.splices = false;
                Ok(None)
            }
            // A pipe has no errors to be read from; a pipe that is written has only this one.
            Err(error) if source.kind == Kind::Pipe || error == Errno::PIPE => Err(Broken::sink(error)),
            Err(error) => Err(Broken::source(error)),
        }
    }

    fn copy(
        &mut self,
        source: &End<'_>,
        sink: &End<'_>,
        allowed: usize,
        clock: Clock,
    ) -> Result<Moved, Broken> {
        if !self.pending.is_empty() {
            return self.write(sink, allowed, 0);
        }
        self.buffer.resize(BUFFER, 0);
        let part = &mut self.buffer[..allowed.clamp(PACKET, BUFFER)];
        let begun = clock.now();
        let bytes = match read(source.fd, &mut *part) {
            Ok(0) => return Ok(Moved::End),
            Ok(bytes) => bytes,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(Moved::Nothing),
            Err(error) => return Err(Broken::source(error)),
        };
        if let Some(digest) = &mut self.digest {
            digest.update(&part[..bytes]);
        }
        self.pending = 0..bytes;
        self.write(sink, allowed, clock.now() - begun)
    }

    /// Writes once, since a signal that interrupts it wants to be attended to.
    fn write(&mut self, sink: &End<'_>, allowed: usize, read: Nanos) -> Result<Moved, Broken> {
        let part = self.pending.start..self.pending.end.min(self.pending.start + allowed);
        match write(sink.fd, &self.buffer[part]) {
            Ok(0) => Err(Broken::sink(Errno::IO)),
            Ok(bytes) => {
                self.pending.start += bytes;
                Ok(Moved::Bytes { bytes: bytes as u64, read })
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Moved::Nothing),
            Err(error) => Err(Broken::sink(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fd::AsFd;
    use rustix::pipe::pipe;

    use super::*;

    /// A fifo's last writer goes and another comes, between a splice(2) that finds the end and the read(2) that
    /// finds the first bytes of the other; or a file grows then.
    #[test]
    fn what_was_read_goes_before_what_is_spliced() {
        let ((source, feeder), (reader, sink)) = (pipe().unwrap(), pipe().unwrap());
        let (from, to) = (End::of(source.as_fd()), End::of(sink.as_fd()));
        let mut mover = Mover::between(&from, &to);
        mover.buffer = b"what was read".to_vec();
        mover.pending = 5..13;
        write(&feeder, b" comes first").unwrap();
        drop(feeder);
        let clock = Clock::of_this_kernel();
        while mover.step(&from, &to, 5, clock).unwrap() != Moved::End {}
        let mut arrived = [0; 64];
        let bytes = read(&reader, &mut arrived).unwrap();
        assert_eq!(String::from_utf8_lossy(&arrived[..bytes]), "was read comes first");
    }
}
