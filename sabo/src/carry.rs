//! Carrying bytes from the source to the sink, at the rate that the member is given.
//!
//! The order of a chunk, so that a blocked sink or a silent source holds one chunk at most and others use its
//! share at once:
//!
//! ```text
//! wait until the source is readable and the sink writable
//! less than a quantum is there, and the bucket is busy: wait for more, a quantum's time at most
//! reserve what is there, a quantum at most ─► sleep until its time ─► move
//! ```
//!
//! What was reserved and not moved is kept and used first, never more than one quantum.

mod end;
mod mover;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::bucket;
use crate::clock::{Clock, Nanos, SECOND};
use crate::member::Member;
use crate::progress::Reporter;
use crate::tally::{Tally, Waits};
use crate::{say, signals};
use end::{End, Ready};
use mover::{Moved, Mover};

/// Who failed, and how.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("reading stdin")]
    Source(#[source] std::io::Error),
    #[error("writing stdout")]
    Sink(#[source] std::io::Error),
    /// The reader of stdout went away.
    #[error("writing stdout: the reader went away")]
    Downstream,
}

impl Broken {
    fn sink(error: Errno) -> Self {
        if error == Errno::PIPE { Self::Downstream } else { Self::Sink(error.into()) }
    }

    fn source(error: Errno) -> Self {
        Self::Source(error.into())
    }
}

/// Above this rate pipes are enlarged to 1 MiB, where there are few members.
const FAST: u64 = 500_000_000;
const FEW: usize = 16;

/// How long a pause lasts unnoticed when it ends.
const PAUSE: Nanos = SECOND / 50;

/// A run.
#[derive(Debug)]
pub(crate) struct Carry<'a> {
    pub(crate) member: Member,
    pub(crate) tally: Tally,
    source: End<'a>,
    sink: End<'a>,
    mover: Mover,
    /// Reserved and not moved.
    held: u64,
    reporter: Reporter,
    clock: Clock,
    /// What the group was told already.
    told: Waits,
}

impl<'a> Carry<'a> {
    /// # Errors
    /// If an end is open for the other direction, the source gives messages, which a pipe would cut, or the sink
    /// is what is read, which would never end.
    pub(crate) fn new(
        source: BorrowedFd<'a>,
        sink: BorrowedFd<'a>,
        member: Member,
        clock: Clock,
        reporter: Reporter,
    ) -> Result<Self, Broken> {
        let (mut source, mut sink) = (End::of(source), End::of(sink));
        source.check(Ready::Source).map_err(Broken::source)?;
        sink.check(Ready::Sink).map_err(Broken::sink)?;
        let invalid = |what| Broken::Source(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
        if source.cuts_messages() {
            return Err(invalid("it gives messages (datagrams or packets), which would be cut"));
        }
        if sink.feeds(&source) {
            return Err(invalid("it is the file that is written, and would never end"));
        }
        let standing = member.standing();
        let large = standing.rate > FAST && standing.members < FEW;
        [&mut source, &mut sink]
            .into_iter()
            .for_each(|end| end.enlarge(if large { 1 << 20 } else { 1 << 18 }));
        let mover = Mover::between(&source, &sink);
        let tally = Tally::new(clock.now());
        Ok(Self { member, tally, source, sink, mover, held: 0, reporter, clock, told: Waits::default() })
    }

    /// Computes the SHA-256 of what passes, which keeps it from passing inside the kernel.
    pub(crate) fn checksum(&mut self) {
        self.mover.hash(Digest::new(&SHA256));
    }

    /// Carries everything.
    ///
    /// # Errors
    /// Which side failed; what was read and not written is lost then.
    pub(crate) fn run(&mut self) -> Result<(), Broken> {
        loop {
            if self.mover.pending() == 0 {
                self.wait_for(Ready::Source)?;
            }
            self.wait_for(Ready::Sink)?;
            let allowed = self.allowance();
            if self.step(allowed)? == Moved::End {
                self.tell(0);
                return Ok(());
            }
        }
    }

    /// The digest, in hexadecimal digits, if one was computed.
    pub(crate) fn digest(&mut self) -> Option<String> {
        self.mover.digest()
    }

    /// Waits for a side; the group is told as time goes by, since it may be hours.
    fn wait_for(&mut self, side: Ready) -> Result<(), Broken> {
        loop {
            let begun = self.clock.now();
            let ready = self.poll(side)?;
            let waited = self.clock.now() - begun;
            match side {
                Ready::Source => self.tally.waits.source += waited,
                Ready::Sink => self.tally.waits.sink += waited,
            }
            if ready {
                return Ok(());
            }
            self.tell(0);
        }
    }

    /// Whether it is ready; waits a little, and attends to the rest.
    fn poll(&mut self, side: Ready) -> Result<bool, Broken> {
        self.attend();
        let patience = (self.attend_at() - self.clock.now()).max(0);
        match side {
            Ready::Source => self.source.readable(patience).map_err(Broken::source),
            Ready::Sink => self.sink.writable(patience).map_err(Broken::sink),
        }
    }

    /// How many bytes may be moved now; waits until they may.
    fn allowance(&mut self) -> u64 {
        self.wait_for_pause();
        let quantum = self.member.quantum();
        self.held = self.held.min(quantum);
        if self.held == 0 {
            let bytes = self.worth_reserving(quantum);
            let at = self.member.reserve(bytes);
            self.sleep_until(at);
            self.held = bytes;
        }
        self.held
    }

    fn wait_for_pause(&mut self) {
        self.attend();
        while self.member.is_paused() {
            self.sleep_until(self.clock.now() + PAUSE);
        }
    }

    /// What is there, a quantum at most, and at least the one byte with which the end is found.
    fn worth_reserving(&mut self, quantum: u64) -> u64 {
        if self.mover.pending() > 0 {
            return self.mover.pending().min(quantum);
        }
        let there = self.source.there(quantum);
        if there >= quantum {
            return quantum;
        }
        let queue = self.member.queue();
        if queue > 0 && there > 0 {
            let rate = self.member.standing().rate;
            let patience = queue.min(bucket::cost(quantum, rate));
            self.sleep_until(self.clock.now() + patience);
        }
        self.source.there(quantum).clamp(1, quantum)
    }

    /// Sleeps because of the limit, and attends to the rest meanwhile.
    fn sleep_until(&mut self, at: Nanos) {
        let mut now = self.clock.now();
        while now < at {
            self.clock.sleep_until(at.min(self.attend_at()));
            self.attend();
            let begun = std::mem::replace(&mut now, self.clock.now());
            self.tally.waits.limit += now - begun;
            self.tell(0);
        }
    }

    fn attend_at(&self) -> Nanos {
        self.member.attend_at().min(self.reporter.due())
    }

    fn attend(&mut self) {
        self.member.attend();
        if signals::asked() {
            say::line(&self.tally.line(self.clock.now(), None));
        }
        self.reporter.attend(self.clock.now(), &self.tally, &self.member);
    }

    /// Moves up to `allowed` bytes.
    fn step(&mut self, allowed: u64) -> Result<Moved, Broken> {
        let begun = self.clock.now();
        let moved = self.mover.step(&self.source, &self.sink, allowed, self.clock)?;
        match moved {
            Moved::Bytes { bytes, read } => {
                self.held = self.held.saturating_sub(bytes);
                self.tally.bytes += bytes;
                self.tally.waits.source += read;
                self.tally.waits.sink += self.clock.now() - begun - read;
                self.tell(bytes);
            }
            Moved::Nothing => self.clock.sleep_until(self.clock.now() + SECOND / 1000),
            Moved::End => {}
        }
        Ok(moved)
    }

    fn tell(&mut self, bytes: u64) {
        let waits = self.tally.waits;
        self.member.count(bytes, waits.since(self.told));
        self.told = waits;
    }

    /// The last word of the progress.
    pub(crate) fn end_progress(&mut self) {
        self.reporter.end(self.clock.now(), &self.tally, &self.member);
    }
}

#[cfg(test)]
mod tests;
