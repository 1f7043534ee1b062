//! What is being written to a WebSocket: one thing at a time.

use crate::dialect2::memory::DataFrame;

/// Control frames, or one frame of DATA; what of it is not written yet.
pub(super) enum Writing {
    /// The frames, and how much of them is written.
    Control(Vec<u8>, usize),
    Data(DataFrame),
}

impl Writing {
    pub(super) fn control(frames: Vec<u8>) -> Self {
        Self::Control(frames, 0)
    }

    pub(super) fn rest(&self) -> &[u8] {
        match self {
            Self::Control(frames, written) => &frames[*written..],
            Self::Data(frame) => frame,
        }
    }

    /// `n` bytes of the rest are written; tells whether that was all.
    pub(super) fn wrote(&mut self, n: usize) -> bool {
        match self {
            Self::Control(_, written) => *written += n,
            Self::Data(frame) => frame.advance(n),
        }
        self.rest().is_empty()
    }
}
