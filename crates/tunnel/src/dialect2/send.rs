//! The outgoing half of a session: what was sent, what the peer has confirmed, what may be sent.

use std::ops::Range;
use std::sync::Arc;

use relay::{Buffer, Size};

use super::blocks::Blocks;
use super::budget::Budget;
use super::wire::{Fault, MAX_DATA};
use crate::header::MIN_WINDOW;

/// Less credit than this part of what is under way is not worth a frame: the ACK that is due gives more (the silly
/// window of RFC 9293 section 3.8.6.2.1).
const CRUMB: usize = 16;
/// The same where all that is held would have to be copied to make place: the last third of a window, then, which a
/// receiver does not count as unused.
const DEAR: usize = 2;

#[derive(Debug)]
pub(super) struct Sending {
    /// Bytes of the local socket that were taken into the session.
    sent: u64,
    /// Whether they are all: the end of file takes the position behind them.
    eof: bool,
    /// Up to where the peer has delivered.
    confirmed: u64,
    /// Up to where the peer lets us send. It never moves back.
    edge: u64,
    /// The negotiated maximum, in bytes.
    window: u64,
    /// What may have to be sent again; none if the session cannot be resumed.
    replay: Option<Blocks>,
    /// The position of the first byte in `replay`.
    held_from: u64,
}

impl Sending {
    pub(super) fn new(window: u32, resume: bool, budget: &Arc<Budget>) -> Self {
        Self {
            sent: 0,
            eof: false,
            confirmed: 0,
            edge: u64::from(MIN_WINDOW),
            window: u64::from(window),
            replay: resume.then(|| Blocks::new(budget, window as usize)),
            held_from: 0,
        }
    }

    /// Bytes sent, without the end of file.
    pub(super) fn bytes(&self) -> u64 {
        self.sent
    }

    #[cfg(test)]
    pub(super) fn edge(&self) -> u64 {
        self.edge
    }

    /// Up to where the peer has delivered.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// The position behind all that was sent.
    pub(super) fn position(&self) -> u64 {
        self.sent + u64::from(self.eof)
    }

    /// The total, once the local socket has ended.
    pub(super) fn total(&self) -> Option<u64> {
        self.eof.then_some(self.sent)
    }

    /// Whether the peer has delivered everything, and the end of file.
    pub(super) fn is_confirmed(&self) -> bool {
        self.eof && self.confirmed == self.position()
    }

    /// How many bytes are to be read from the local socket now: none if that is better done after an ACK.
    pub(super) fn room(&self) -> usize {
        let crammed = self.replay.as_ref().is_some_and(Blocks::is_crammed);
        let little = self.unconfirmed() / if crammed { DEAR } else { CRUMB };
        if self.credit() < little { 0 } else { self.all_room() }
    }

    /// How many bytes may be read from the local socket now. Sessions of other threads may take the same
    /// rest of the budget meanwhile: by so much, a read a thread, it may be exceeded.
    pub(super) fn all_room(&self) -> usize {
        if self.eof {
            return 0;
        }
        let held = self.replay.as_ref().map_or(usize::MAX, Blocks::room);
        self.credit().min(held).min(MAX_DATA)
    }

    /// How many bytes the peer lets us send.
    fn credit(&self) -> usize {
        let edge = self.edge.min(self.confirmed.saturating_add(self.window));
        usize::try_from(edge.saturating_sub(self.sent)).unwrap_or(usize::MAX)
    }

    /// How many bytes are on their way, or were and are not told of.
    fn unconfirmed(&self) -> usize {
        usize::try_from(self.sent.saturating_sub(self.confirmed)).unwrap_or(usize::MAX)
    }

    /// Takes bytes of the local socket into the session.
    pub(super) fn record(&mut self, bytes: &[u8]) {
        self.sent += bytes.len() as u64;
        if let Some(replay) = &mut self.replay {
            replay.push(bytes);
        }
    }

    /// What to read into where `size` would be good for the local socket.
    pub(super) fn read_size(&self, size: Size) -> Size {
        self.replay.as_ref().map_or(size, |replay| replay.size_to_keep(size))
    }

    /// Whether so many bytes in a buffer of this size are to be [kept](Self::record_kept) there.
    pub(super) fn would_keep(&self, bytes: usize, size: usize) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.would_keep(bytes, size))
    }

    /// Takes bytes of the local socket into the session, in the buffer they were read into.
    pub(super) fn record_kept(&mut self, buffer: Arc<Buffer>, bytes: Range<usize>) {
        self.sent += bytes.len() as u64;
        if let Some(replay) = &mut self.replay {
            replay.keep(buffer, bytes);
        }
    }

    /// Counts bytes that are not shown, which only a session without replay can.
    pub(super) fn count(&mut self, bytes: usize) {
        debug_assert!(self.replay.is_none(), "they could not be sent again");
        self.sent += bytes as u64;
    }

    pub(super) fn end_of_file(&mut self) {
        self.eof = true;
    }

    /// An ACK: of an old WebSocket it may say less than is known already.
    pub(super) fn acknowledge(&mut self, delivered: u64, window: u32) -> Result<(), Fault> {
        if delivered > self.position() {
            return Err(Fault::AckTooFar);
        }
        self.confirmed = self.confirmed.max(delivered);
        self.edge = self.edge.max(delivered.saturating_add(u64::from(window)));
        Ok(())
    }

    /// Drops what is confirmed. What a new WebSocket has not been sent yet stays, `send_at` and on: in a
    /// hand-over its peer may have had it from the old one and confirm it, and yet counts from where it was.
    pub(super) fn release(&mut self, send_at: u64) {
        self.drop_below(self.confirmed.min(send_at));
    }

    /// Whether a peer that has received up to `received` can be served.
    pub(super) fn can_go_on_from(&self, received: u64) -> bool {
        self.replay.is_some() && (self.held_from..=self.position()).contains(&received)
    }

    /// The peer has the bytes below `position`: they will not be asked for again.
    pub(super) fn drop_below(&mut self, position: u64) {
        if let Some(replay) = &mut self.replay
            && position > self.held_from
        {
            let more = position - self.held_from;
            replay.drop_front(usize::try_from(more).unwrap_or(usize::MAX));
            self.held_from = position;
        }
    }

    /// Fills `into` with what is held from `position` on; tells how many bytes there were.
    pub(super) fn copy_from(&self, position: u64, into: &mut [u8]) -> usize {
        let Some(replay) = &self.replay else { return 0 };
        let offset = position.saturating_sub(self.held_from);
        replay.copy_to(usize::try_from(offset).unwrap_or(usize::MAX), into)
    }

    /// How much memory is held, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.replay.as_ref().map_or(0, Blocks::memory)
    }

    /// Gives the memory back: nothing will be sent again.
    pub(super) fn discard(&mut self) {
        self.replay = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(resume: bool) -> Sending {
        Sending::new(128 * 1024, resume, &Budget::new(1 << 20))
    }

    #[test]
    fn the_edge_and_what_is_confirmed_never_move_back() {
        let mut sending = sending(true);
        sending.record(&[7; 50_000]);
        for (delivered, window, confirmed, edge) in [
            (0, 65_536, 0, 65_536),
            (40_000, 131_072, 40_000, 171_072),
            (30_000, 65_536, 40_000, 171_072),
            (50_000, 0, 50_000, 171_072),
        ] {
            assert_eq!(sending.acknowledge(delivered, window), Ok(()));
            sending.release(50_000);
            assert_eq!((sending.confirmed, sending.edge), (confirmed, edge));
        }
        assert_eq!(sending.acknowledge(50_001, 0), Err(Fault::AckTooFar));
        assert_eq!(sending.memory(), 0);
        assert_eq!(sending.room(), 121_072, "the edge");
        assert_eq!(sending.acknowledge(0, u32::MAX), Ok(()));
        assert_eq!(sending.room(), 128 * 1024, "the negotiated maximum");
    }

    #[test]
    fn a_resume_finds_what_was_not_confirmed() {
        let mut sending = sending(true);
        sending.record(b"0123456789");
        assert_eq!(sending.acknowledge(5, 65_536), Ok(()));
        sending.release(3);
        sending.end_of_file();
        for (received, good) in [(2, false), (3, true), (10, true), (11, true), (12, false)] {
            assert_eq!(sending.can_go_on_from(received), good, "{received}");
        }
        let mut rest = [0; 4];
        assert_eq!((sending.copy_from(5, &mut rest), &rest), (4, b"5678"));
        assert!(!sending.is_confirmed());
        sending.drop_below(11);
        assert!(!sending.is_confirmed(), "received is not delivered");
        assert_eq!(sending.acknowledge(11, 0), Ok(()));
        assert!(sending.is_confirmed());
    }

    #[test]
    fn crumbs_are_not_read() {
        let mut sending = sending(true);
        for (sent, room) in [(30_000, 35_536), (30_000, 5_536), (2_000, 0), (3_536, 0)] {
            sending.record(&vec![7; sent]);
            assert_eq!(sending.room(), room, "after {}", sending.bytes());
            assert_eq!(sending.all_room(), 65_536 - sending.sent as usize, "but they may be");
        }
        for (delivered, room) in [(1_000, 0), (5_000, 5_000), (65_536, 65_536)] {
            assert_eq!(sending.acknowledge(delivered, 65_536), Ok(()));
            assert_eq!(sending.room(), room, "{delivered} are delivered");
        }
    }

    #[test]
    fn what_is_kept_is_not_copied_for_little() {
        let mut sending = sending(true);
        assert_eq!(sending.acknowledge(0, 128 * 1024), Ok(()));
        let keep = |sending: &mut Sending, bytes: usize| {
            let size = sending.read_size(Size::Large);
            assert!(sending.would_keep(bytes, size.bytes()));
            sending.record_kept(Arc::new(Buffer::take(size)), size.bytes() - bytes..size.bytes());
            (size, sending.read_size(Size::Large), sending.room())
        };
        let (small, medium, large) = (Size::Small, Size::Medium, Size::Large);
        assert_eq!(keep(&mut sending, 65_000), (medium, medium, 66_072));
        assert_eq!(keep(&mut sending, 40_000), (medium, large, 0), "26,072 of credit, and no place");
        assert_eq!(sending.acknowledge(65_000, 128 * 1024), Ok(()));
        sending.release(u64::MAX);
        assert_eq!((sending.read_size(large), sending.room()), (medium, 91_072));
        assert_eq!(sending.read_size(small), small);
        assert_eq!(keep(&mut sending, 33_000), (medium, large, 58_072), "much credit is worth a copy");
        sending.record(&[7; 16_000]);
        assert_eq!((sending.memory(), sending.room()), (96 * 1024, 42_072), "all is moved");
        assert_eq!(sending.read_size(large), small);
    }

    #[test]
    fn without_resume_nothing_is_held() {
        let mut sending = sending(false);
        sending.record(&[7; 60_000]);
        sending.count(1_000);
        assert_eq!((sending.memory(), sending.room(), sending.bytes()), (0, 4_536, 61_000));
        assert!(!sending.can_go_on_from(60_000));
    }

    #[test]
    fn no_room_in_the_budget_is_no_room() {
        let budget = Budget::new(0);
        let mut sending = Sending::new(1 << 20, true, &budget);
        assert_eq!(sending.acknowledge(0, 1 << 20), Ok(()));
        assert_eq!(sending.room(), 65_536, "always granted");
        sending.record(&[7; 65_536]);
        assert_eq!(sending.room(), 0);
        assert_eq!(sending.acknowledge(65_536, 1 << 20), Ok(()));
        sending.release(65_536);
        assert_eq!((sending.room(), budget.used()), (65_536, 0));
    }
}
