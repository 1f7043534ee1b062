//! Buffers that a frame is written from, and that may be kept to be sent again.

use std::ops::{Deref, Range};
use std::sync::Arc;

use relay::Buffer;

/// A pooled buffer, alone or shared between what is kept and the frame in progress.
#[derive(Debug)]
pub(super) enum Memory {
    Own(Buffer),
    Shared(Arc<Buffer>),
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(buffer) => buffer,
            Self::Shared(buffer) => buffer,
        }
    }
}

/// A DATA frame that is to be written, with an ACK in front if one was owed.
#[derive(Debug)]
pub struct DataFrame {
    memory: Memory,
    bytes: Range<usize>,
}

impl DataFrame {
    pub(super) fn own(buffer: Buffer, bytes: Range<usize>) -> Self {
        Self { memory: Memory::Own(buffer), bytes }
    }

    pub(super) fn shared(buffer: Arc<Buffer>, bytes: Range<usize>) -> Self {
        Self { memory: Memory::Shared(buffer), bytes }
    }

    /// The first `n` bytes are written.
    pub(super) fn advance(&mut self, n: usize) {
        self.bytes.start += n;
    }
}

impl Deref for DataFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.bytes.clone()]
    }
}
