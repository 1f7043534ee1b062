//! The bytes of a group file. All numbers are 64-bit words in the machine's order.
//!
//! ```text
//!      0  magic       "SABOGRP1"                                  ┐
//!      8  limit       bytes a second that the group runs at,      │
//!                     2^64−1: only the members' own caps          │
//!     16  originals   how many originals are in the directory     │ frozen
//!     24  paused      0 or 1                                      │ for ever
//!     32  TAT         ns, signed; see bucket.rs                   │
//!     40  0 0 0                                                   ┘
//!     64  counted     when the originals were counted, ns
//!     72  joined      changes with every member that comes, goes or changes its cap
//!     80  bytes       moved since the file was made
//!     88  finished    runs that ended well
//!     96  failed      runs that did not
//!    104  source, sink, limit   ns waited for each
//!    128  success     when the last run ended well, seconds since 1970
//!    136  resets      how often a TAT beyond the horizon was replaced
//!    144  failure     when the last run failed, seconds since 1970                            *
//!    512  64 cells    one a second: its number mod 2^24 in the high 24 bits, bytes moved in the low 40
//!   1024  4 × 64 cells   the same for ns of all members: here, waiting for source, sink, limit *
//!   4096  1024 slots of 128 bytes:
//!           0  state    0 never used, 1 here, 2 finished, 3 failed
//!           8  pid      and in the high 32 bits the weight in thousandths
//!          16  xid      20 bytes and 4 zeros
//!          40  cap      bytes a second: the member's limit or what its schedule says
//!          48  bytes    moved by this member
//!          56  since    when it came, ns
//!          64  source, sink   ns waited for each, at most 2^63
//!          80  name     48 bytes of UTF-8, zeros behind
//! ```
//!
//! What is marked with * came later, where zeros were: an older member leaves it as it is, so a zero there
//! says nothing, and what is read from it is about the newer members alone.
//!
//! A later version appends behind this; it works with a file of this length without what it appended, and
//! this version with a longer file, of which it maps the beginning.

/// What a version of this program knows of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// In bytes, of which all are written: at least [`Layout::V1`]'s.
    pub(crate) length: usize,
}

pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"SABOGRP1");

pub(crate) const MAGIC_AT: usize = 0;
pub(crate) const LIMIT: usize = 8;
pub(crate) const ORIGINALS: usize = 16;
pub(crate) const PAUSED: usize = 24;
pub(crate) const TAT: usize = 32;
pub(crate) const COUNTED: usize = 64;
pub(crate) const JOINED: usize = 72;
pub(crate) const BYTES: usize = 80;
pub(crate) const FINISHED: usize = 88;
pub(crate) const FAILED: usize = 96;
pub(crate) const WAITED: [usize; 3] = [104, 112, 120];
pub(crate) const SUCCESS: usize = 128;
pub(crate) const RESETS: usize = 136;
pub(crate) const FAILURE: usize = 144;

pub(crate) const CELLS: usize = 512;
pub(crate) const CELL_COUNT: u64 = 64;
pub(crate) const HERE_CELLS: usize = 1024;
pub(crate) const WAITED_CELLS: [usize; 3] = [1536, 2048, 2560];

pub(crate) const SLOTS: usize = 4096;
pub(crate) const SLOT: usize = 128;
pub(crate) const SLOT_COUNT: usize = 1024;

pub(crate) const STATE: usize = 0;
pub(crate) const PID: usize = 8;
pub(crate) const XID: usize = 16;
pub(crate) const CAP: usize = 40;
pub(crate) const SLOT_BYTES: usize = 48;
pub(crate) const SINCE: usize = 56;
pub(crate) const SLOT_WAITED: [usize; 2] = [64, 72];
pub(crate) const NAME: usize = 80;
pub(crate) const NAME_LENGTH: usize = 48;

/// No limit but the members' caps.
pub(crate) const NO_LIMIT: u64 = u64::MAX;

impl Layout {
    pub(crate) const V1: Self = Self { length: SLOTS + SLOT * SLOT_COUNT };

    /// A longer file is garbage.
    pub(crate) const LONGEST: usize = 1 << 24;

    /// What is written into a new file.
    pub(crate) fn content(self) -> Vec<u8> {
        let mut content = vec![0; self.length];
        content[MAGIC_AT..MAGIC_AT + 8].copy_from_slice(&MAGIC.to_ne_bytes());
        content
    }

    /// How much of a file of this length is mapped; none if it cannot be a group.
    pub(crate) fn mapped(self, length: u64) -> Option<usize> {
        let length = usize::try_from(length).ok()?;
        (Self::V1.length..=Self::LONGEST).contains(&length).then_some(length.min(self.length))
    }
}

/// Where a slot begins.
pub(crate) fn slot(index: usize) -> usize {
    SLOTS + SLOT * index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These are for ever: other versions run in the same group.
    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(Layout::V1.length, 135_168);
        assert_eq!([MAGIC_AT, LIMIT, ORIGINALS, PAUSED, TAT], [0, 8, 16, 24, 32]);
        assert_eq!(&Layout::V1.content()[..8], b"SABOGRP1");
        assert_eq!(slot(SLOT_COUNT), Layout::V1.length);
        assert_eq!(NAME + NAME_LENGTH, SLOT);
        assert_eq!([SUCCESS, RESETS, FAILURE], [128, 136, 144]);
        let rows = [CELLS, HERE_CELLS, WAITED_CELLS[0], WAITED_CELLS[1], WAITED_CELLS[2], 3072];
        assert!(rows.windows(2).all(|row| row[0] + 8 * CELL_COUNT as usize == row[1]) && rows[5] <= SLOTS);
    }

    #[test]
    fn other_lengths_are_mapped_or_refused() {
        let v2 = Layout { length: Layout::V1.length + 4096 };
        let table = [
            (Layout::V1, 135_168, Some(135_168)),
            (Layout::V1, 139_264, Some(135_168)),
            (v2, 135_168, Some(135_168)),
            (v2, 139_264, Some(139_264)),
            (v2, 135_167, None),
            (v2, 0, None),
            (v2, (1 << 24) + 1, None),
        ];
        for (layout, length, mapped) in table {
            assert_eq!(layout.mapped(length), mapped, "{length}");
        }
    }
}
