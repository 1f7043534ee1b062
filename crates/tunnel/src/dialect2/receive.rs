//! The incoming half of a session: what came, what was delivered, what the peer may send.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::blocks::Blocks;
use super::budget::Budget;
use super::wire::{DATA_ROOM, Fault, Frame};
use crate::header::MIN_WINDOW;

/// An ACK waits so long for DATA to ride with, after the last delivery.
const LAZY: Duration = Duration::from_millis(20);
/// While deliveries follow each other more closely, it waits at most so long.
const LATEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Receiving {
    /// What was received and is not delivered.
    blocks: Blocks,
    /// Bytes written to the local socket.
    written: u64,
    /// Bytes received that nobody will take.
    thrown: u64,
    /// The peer's total, once its end of file has come.
    total: Option<u64>,
    /// Whether the local socket's write half is shut down.
    shut: bool,
    /// The window that is announced, and what it may grow to.
    window: u32,
    most: u32,
    /// The furthest edge that was announced.
    edge: u64,
    /// What the last ACK said is delivered.
    told: u64,
    /// What an upgrade that is under way has reported: no ACK goes beyond it.
    reported: Option<u64>,
    /// When something was first delivered that no ACK has told.
    untold_since: Option<Instant>,
    last_delivery: Option<Instant>,
}

impl Receiving {
    pub(super) fn new(window: u32, budget: &Arc<Budget>) -> Self {
        Self {
            blocks: Blocks::new(budget, 0),
            written: 0,
            thrown: 0,
            total: None,
            shut: false,
            window: MIN_WINDOW,
            most: window,
            edge: u64::from(MIN_WINDOW),
            told: 0,
            reported: None,
            untold_since: None,
            last_delivery: None,
        }
    }

    /// The position up to which everything is delivered or held.
    pub(super) fn position(&self) -> u64 {
        self.bytes() + u64::from(self.total.is_some())
    }

    /// The same without the end of file.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.thrown + self.blocks.len() as u64
    }

    /// The position up to which everything is delivered.
    pub(super) fn delivered(&self) -> u64 {
        self.written + u64::from(self.shut)
    }

    /// Bytes written to the local socket.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The furthest position that the peer was allowed to send up to.
    pub(super) fn edge(&self) -> u64 {
        self.edge
    }

    /// The window that is announced.
    pub(super) fn window(&self) -> u32 {
        self.window
    }

    pub(super) fn memory(&self) -> usize {
        self.blocks.memory()
    }

    /// Judges DATA that ends at `end`.
    pub(super) fn check_data(&self, end: u64) -> Result<(), Fault> {
        match self.total {
            Some(total) if end > total => Err(Fault::AfterEof),
            None if end > self.edge => Err(Fault::BeyondWindow),
            _ => Ok(()),
        }
    }

    /// The peer's end of file has come where its WebSocket stands at `position`.
    pub(super) fn end_of_file(&mut self, total: u64, position: u64) -> Result<(), Fault> {
        match self.total {
            Some(known) if known != total => Err(Fault::OtherTotal),
            None if total != position || total < self.bytes() => Err(Fault::OtherTotal),
            _ => {
                self.total = Some(total);
                Ok(())
            }
        }
    }

    /// Holds bytes until the local socket takes them.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.blocks.push(bytes);
    }

    pub(super) fn holds_any(&self) -> bool {
        !self.blocks.is_empty()
    }

    pub(super) fn slices<'b>(&'b self, into: &mut [IoSlice<'b>]) -> usize {
        self.blocks.slices(into)
    }

    /// `n` bytes were written to the local socket: of those held, or straight from where they came.
    pub(super) fn delivered_more(&mut self, n: usize, held: bool, now: Instant) {
        if held {
            self.blocks.drop_front(n);
        }
        self.written += n as u64;
        if n > 0 {
            self.note_delivery(now);
        }
    }

    /// Whether the local socket's write half is to be shut down now.
    pub(super) fn wants_shutdown(&self) -> bool {
        self.total == Some(self.written) && !self.shut
    }

    pub(super) fn shut_down(&mut self, now: Instant) {
        self.shut = true;
        self.note_delivery(now);
    }

    /// Whether everything, and the end of file, is delivered.
    pub(super) fn is_complete(&self) -> bool {
        self.shut
    }

    fn note_delivery(&mut self, now: Instant) {
        self.untold_since.get_or_insert(now);
        self.last_delivery = Some(now);
    }

    /// An upgrade reports the position, or none is under way any more. Until then a server that is told of
    /// more over the old WebSocket would drop what this upgrade still asks for.
    pub(super) fn report(&mut self, position: Option<u64>) {
        self.reported = position;
    }

    pub(super) fn reported(&self) -> Option<u64> {
        self.reported
    }

    /// What an ACK may say is delivered.
    fn tellable(&self) -> u64 {
        self.reported.map_or(self.delivered(), |reported| reported.min(self.delivered())).max(self.told)
    }

    /// Whether an ACK would tell something new.
    pub(super) fn has_news(&self) -> bool {
        self.told != self.tellable()
    }

    /// Whether a quarter of the window was delivered since the last ACK; or as much of it as a frame carries whose
    /// head is read into the same buffer: of 256 KiB buffers each is told of, not every other one.
    pub(super) fn is_quarter_untold(&self) -> bool {
        self.tellable() - self.told + DATA_ROOM as u64 >= u64::from(self.window / 4)
    }

    /// When an ACK is to be sent, if it has something new to tell.
    pub(super) fn ack_due(&self) -> Option<Instant> {
        let since = self.untold_since.filter(|_| self.has_news())?;
        if self.shut || self.is_quarter_untold() {
            return Some(since);
        }
        self.last_delivery.map(|last| (last + LAZY).min(since + LATEST))
    }

    /// The ACK that tells everything.
    pub(super) fn ack(&mut self) -> Frame {
        let delivered = self.tellable();
        self.edge = self.edge.max(delivered + u64::from(self.window));
        self.told = delivered;
        if delivered == self.delivered() {
            self.untold_since = None;
        }
        // An edge is at most the largest window ahead, and that is a u32.
        let window = u32::try_from(self.edge - delivered).unwrap_or(u32::MAX);
        Frame::Ack { delivered, window }
    }

    /// Whether the window could grow.
    pub(super) fn may_grow(&self) -> bool {
        self.window < self.most && self.total.is_none()
    }

    /// Doubles the window if the budget allows it. The memory is promised with it: whoever was told a window
    /// may fill it.
    pub(super) fn grow(&mut self) -> bool {
        let larger = self.window.saturating_mul(2).min(self.most);
        let granted = larger > self.window && self.blocks.promise(larger as usize);
        if granted {
            self.window = larger;
        }
        granted
    }

    /// Drops what is held: nobody will take it.
    pub(super) fn discard(&mut self) {
        self.thrown += self.blocks.len() as u64;
        self.blocks.drop_front(usize::MAX);
        self.blocks.unpromise();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn receiving(budget: usize) -> Receiving {
        Receiving::new(1 << 20, &Budget::new(budget))
    }

    fn ack(delivered: u64, window: u32) -> Frame {
        Frame::Ack { delivered, window }
    }

    #[test]
    fn an_ack_waits_for_company_but_not_for_ever() {
        let now = Instant::now();
        let mut receiving = receiving(1 << 20);
        assert_eq!(receiving.ack_due(), None);
        receiving.delivered_more(1, false, now);
        assert_eq!(receiving.ack_due(), Some(now + LAZY));
        for step in 1..1000 {
            receiving.delivered_more(1, false, now + 10 * MS * step);
        }
        assert_eq!(receiving.ack_due(), Some(now + LATEST));
        assert_eq!(receiving.ack(), ack(1000, 65_536));
        assert_eq!(receiving.ack_due(), None);
    }

    #[test]
    fn a_quarter_of_the_window_and_the_end_of_file_are_told_at_once() {
        let now = Instant::now();
        let mut receiving = receiving(1 << 20);
        let quarter = 16_384 - DATA_ROOM;
        receiving.delivered_more(quarter - 1, false, now);
        assert_eq!(receiving.ack_due(), Some(now + LAZY));
        receiving.delivered_more(1, false, now + MS);
        assert_eq!(receiving.ack_due(), Some(now));
        receiving.delivered_more(DATA_ROOM, false, now + MS);
        assert_eq!(receiving.ack(), ack(16_384, 65_536));
        assert_eq!(receiving.end_of_file(16_384, 16_384), Ok(()));
        assert!(receiving.wants_shutdown());
        receiving.shut_down(now);
        assert_eq!((receiving.ack_due(), receiving.wants_shutdown()), (Some(now), false));
        assert_eq!(receiving.ack(), ack(16_385, 65_536));
    }

    #[test]
    fn positions_are_judged() {
        let now = Instant::now();
        let mut receiving = receiving(1 << 20);
        assert_eq!(receiving.check_data(65_536), Ok(()));
        assert_eq!(receiving.check_data(65_537), Err(Fault::BeyondWindow));
        receiving.hold(&[1; 10]);
        assert_eq!(receiving.end_of_file(11, 10), Err(Fault::OtherTotal));
        assert_eq!(receiving.end_of_file(9, 10), Err(Fault::OtherTotal));
        assert_eq!(
            receiving.end_of_file(9, 9),
            Err(Fault::OtherTotal),
            "on another WebSocket there was more"
        );
        assert_eq!(receiving.end_of_file(10, 10), Ok(()));
        assert_eq!((receiving.position(), receiving.delivered()), (11, 0));
        assert_eq!(receiving.end_of_file(10, 4), Ok(()), "a repeat");
        assert_eq!(receiving.end_of_file(9, 9), Err(Fault::OtherTotal));
        assert_eq!(receiving.check_data(10), Ok(()), "replayed");
        assert_eq!(receiving.check_data(11), Err(Fault::AfterEof));
        assert!(!receiving.wants_shutdown(), "not before everything is delivered");
        receiving.delivered_more(10, true, now);
        assert!(receiving.wants_shutdown());
    }

    #[test]
    fn the_window_grows_as_far_as_was_agreed_and_the_budget_goes() {
        let mut wide = receiving(1 << 20);
        let sizes: Vec<u32> = (0..6).map(|_| (wide.grow(), wide.window()).1).collect();
        assert_eq!(sizes, [1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 20, 1 << 20]);
        assert_eq!(wide.ack(), ack(0, 1 << 20));
        let mut narrow = receiving(200_000);
        assert!(narrow.grow() && !narrow.grow());
        assert_eq!(narrow.ack(), ack(0, 1 << 17));
    }
}
