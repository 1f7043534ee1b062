//! What is being written to a WebSocket: one thing at a time.

use std::ops::Range;

use relay::Buffer;

/// Control frames, or one frame of DATA; what of it is not written yet.
pub(super) struct Writing {
    bytes: Bytes,
    left: Range<usize>,
}

enum Bytes {
    Control(Vec<u8>),
    Data(Buffer),
}

impl Writing {
    pub(super) fn control(frames: Vec<u8>) -> Self {
        Self { left: 0..frames.len(), bytes: Bytes::Control(frames) }
    }

    /// The frame is `buffer[left]`.
    pub(super) fn data(buffer: Buffer, left: Range<usize>) -> Self {
        Self { bytes: Bytes::Data(buffer), left }
    }

    pub(super) fn rest(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Control(frames) => &frames[self.left.clone()],
            Bytes::Data(buffer) => &buffer[self.left.clone()],
        }
    }

    /// `n` bytes of the rest are written; tells whether that was all.
    pub(super) fn wrote(&mut self, n: usize) -> bool {
        self.left.start += n;
        self.left.is_empty()
    }
}
