//! The local socket of a session: what is read from it, what it takes, and how it fails.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use relay::{Buffer, Leg, Meter, Moved, Side, Size, Why};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::carry::{Tap, tapping};
use crate::dialect2::link::Taken;
use crate::dialect2::session::Session;
use crate::dialect2::wire::DATA_ROOM;
use crate::frame::Role;

/// As many pieces as one vectored write is given.
const SLICES: usize = 64;
/// A socket that is not read is asked so often whether it has failed.
const LOOK: Duration = Duration::from_secs(5);
/// A socket that takes nothing any more is read on, if the peer lets us, for so long at most.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) struct Local<L> {
    /// None once the session is over.
    leg: Option<L>,
    role: Role,
    /// Whether its stream has ended, or failed.
    ended: bool,
    /// Whether a read of it is waiting: its end is noticed at once.
    pub(super) is_watched: bool,
    failure: Option<Failure>,
    /// Who ended first, in order.
    pub(super) first_end: Option<Side>,
    next_look: Instant,
    /// How much is read at once.
    pub(super) size: Size,
    /// Bytes that were taken from it.
    pub(super) read: Moved,
    /// Bytes that were written to it.
    pub(super) written: Moved,
    /// When a byte last moved.
    pub(super) last_moved: Instant,
    tap: Option<Box<dyn Tap>>,
}

/// How it has failed. What it has sent before is still to be read.
struct Failure {
    why: Why,
    at: Instant,
}

impl<L: Leg> Local<L> {
    pub(super) fn new(leg: L, role: Role, meter: &Meter, tap: Option<Box<dyn Tap>>, now: Instant) -> Self {
        let (up, down) = (meter.count_up(), meter.count_down());
        let (read, written) = match role {
            Role::Client => (up, down),
            Role::Server => (down, up),
        };
        Self {
            leg: Some(leg),
            role,
            ended: false,
            is_watched: false,
            failure: None,
            first_end: None,
            next_look: now + LOOK,
            size: Size::default(),
            read,
            written,
            last_moved: now,
            tap,
        }
    }

    /// Whether nothing is to be read any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended || self.leg.is_none()
    }

    /// Reads at most `room` bytes; 0: it has ended.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        buffer: &mut [u8],
        room: usize,
        now: Instant,
    ) -> Poll<usize> {
        let Some(leg) = &mut self.leg else { return Poll::Pending };
        self.is_watched = true;
        let most = room.min(buffer.len());
        let mut into = ReadBuf::new(&mut buffer[..most]);
        let result = ready!(Pin::new(leg).poll_read(cx, &mut into));
        self.is_watched = false;
        let got = into.filled().len();
        if got > 0 {
            tapping(&mut self.tap, self.role.local())(&buffer[..got]);
            self.size = next_size(self.size, got, most);
            self.read.add(got);
            self.last_moved = now;
        } else {
            self.end(session, result, now);
        }
        Poll::Ready(got)
    }

    fn end(&mut self, session: &mut Session, result: io::Result<()>, now: Instant) {
        self.ended = true;
        if let Err(error) = result {
            self.fail(error.into(), now);
        } else if self.failure.is_none() {
            session.end_of_file();
            self.first_end.get_or_insert(self.role.local());
        }
    }

    /// Passes on what has just come, as much as goes at once.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, mut taken: Taken<'_>, now: Instant) {
        taken.bytes().for_each(tapping(&mut self.tap, self.role.peer()));
        while self.failure.is_none()
            && let Some(leg) = &mut self.leg
        {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = taken.slices(&mut slices);
            let given: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            if count == 0 {
                return;
            }
            let Poll::Ready(result) = write(leg, cx, &slices[..count]) else { return };
            let n = self.wrote(result, now);
            taken.passed(n);
            if n < given {
                return;
            }
        }
    }

    /// Writes what is held, then the end of file. Pending when it takes nothing now, or nothing is to be done.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, session: &mut Session, now: Instant) -> Poll<()> {
        let Some(leg) = self.leg.as_mut().filter(|_| self.failure.is_none()) else { return Poll::Pending };
        if session.holds_any() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = session.held(&mut slices);
            let result = ready!(write(leg, cx, &slices[..count]));
            let n = self.wrote(result, now);
            session.wrote(n, now);
            return Poll::Ready(());
        }
        if !session.wants_shutdown() {
            return Poll::Pending;
        }
        match ready!(Pin::new(leg).poll_shutdown(cx)) {
            // It is gone, but in order: it has said its last word and was given ours.
            Err(error) if !self.ended || error.kind() != ErrorKind::NotConnected => {
                self.fail(Why::Failed(error.kind()), now);
            }
            _ => {
                session.shut_down(now);
                self.first_end.get_or_insert(self.role.peer());
            }
        }
        Poll::Ready(())
    }

    /// Counts what a write has taken.
    fn wrote(&mut self, result: io::Result<usize>, now: Instant) -> usize {
        match result {
            Ok(n) if n > 0 => {
                self.written.add(n);
                self.last_moved = now;
                n
            }
            failed => {
                let kind = failed.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero);
                self.fail(Why::Failed(kind), now);
                0
            }
        }
    }

    fn fail(&mut self, why: Why, at: Instant) {
        self.is_watched = false;
        self.failure.get_or_insert(Failure { why, at });
    }

    /// TCP keep-alive and resets end a connection that nobody reads, but nobody is told.
    pub(super) fn look_for_failure(&mut self, now: Instant) {
        if self.next_look().is_some_and(|at| now >= at) {
            self.next_look = now + LOOK;
            if let Some(kind) = self.leg.as_ref().and_then(Leg::take_error) {
                self.fail(Why::Failed(kind), now);
            }
        }
    }

    /// When it is to be asked whether it has failed.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let blind = self.leg.is_some() && !self.is_watched && self.failure.is_none();
        blind.then_some(self.next_look)
    }

    /// Without a WebSocket: after a failure takes what it sent before into the session, as far as it may.
    pub(super) fn read_last_words(&mut self, cx: &mut Context<'_>, session: &mut Session, now: Instant) {
        self.is_watched = false;
        while self.failure.is_some() && !self.has_ended() && !session.is_over() {
            let room = session.sending.all_room(); // no ACK will come before the reset is told
            if room == 0 {
                return;
            }
            let mut buffer = Buffer::take(self.size);
            match self.read(cx, session, &mut buffer, room, now) {
                Poll::Ready(got) if got > 0 => session.sending.record(&buffer[..got]),
                _ => return,
            }
        }
    }

    /// How it has failed, once it has said its last word.
    pub(super) fn failure(&self, now: Instant) -> Option<&Why> {
        let failure = self.failure.as_ref()?;
        (now >= self.failure_deadline()?).then_some(&failure.why)
    }

    /// When a failure is told whatever is unread.
    pub(super) fn failure_deadline(&self) -> Option<Instant> {
        let Failure { at, .. } = self.failure.as_ref()?;
        Some(if self.ended || self.is_watched { *at } else { *at + LAST_WORDS })
    }

    /// How it has failed, in the end.
    pub(super) fn failed(&self) -> Option<Why> {
        self.failure.as_ref().map(|failure| failure.why.clone())
    }

    /// The session is over: finished, or to be reset.
    pub(super) fn close(&mut self, finished: bool) {
        if let Some(mut leg) = self.leg.take()
            && !finished
        {
            leg.reset_on_drop();
        }
    }
}

/// The size for the next read after one that got `got` of the `most` bytes it might. One that got all that it was
/// allowed, less than a buffer holds, says nothing of how much there was.
fn next_size(size: Size, got: usize, most: usize) -> Size {
    let curbed = got == most && most + DATA_ROOM < size.bytes();
    if curbed { size } else { size.after(got, most) }
}

/// One slice in a plain write, which the kernel does sooner.
fn write<L: Leg>(leg: &mut L, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    match slices {
        [only] => Pin::new(leg).poll_write(cx, only),
        several => Pin::new(leg).poll_write_vectored(cx, several),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_allowed_to_be_more_does_not_shrink_the_buffer() {
        let (small, medium, large) = (Size::Small, Size::Medium, Size::Large);
        let whole = |size: Size| size.bytes() - DATA_ROOM;
        for (size, got, most, next) in [
            (small, whole(small), whole(small), medium),
            (medium, whole(medium), whole(medium), large),
            (large, whole(large), whole(large), large),
            (large, 100, 100, large),
            (large, 100, whole(large), medium),
            (large, whole(small), whole(small), large),
            (large, 10_000, whole(small), medium),
            (large, 20_000, whole(medium), large),
            (medium, 100, 100, medium),
            (small, 100, 100, small),
            (small, 100, 200, small),
        ] {
            assert_eq!(next_size(size, got, most), next, "{size:?}: {got} of {most}");
        }
    }
}
