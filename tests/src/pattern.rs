//! Megabytes that can be recognised to the byte: a deterministic stream that no lost, repeated or swapped
//! piece survives.

use std::io::{Read, Write};

/// A pseudo-random stream (xorshift64*, Vigna 2016), read or compared in pieces of any size.
#[derive(Debug, Clone)]
pub struct Pattern {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Pattern {
    /// The stream of this seed; different seeds differ everywhere.
    pub fn new(seed: u64) -> Pattern {
        Pattern { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, word: [0; 8], used: 8 }
    }

    /// Fills a buffer with what comes next.
    pub fn fill(&mut self, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            if self.used == 8 {
                self.next_word();
            }
            let count = buffer.len().min(8 - self.used);
            buffer[..count].copy_from_slice(&self.word[self.used..self.used + count]);
            self.used += count;
            buffer = &mut buffer[count..];
        }
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }

    fn next_word(&mut self) {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.word = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        self.used = 0;
    }
}

/// Chunk sizes around every boundary that a frame or a buffer may have.
pub const ODD_SIZES: [usize; 14] =
    [1, 125, 126, 127, 4_095, 4_097, 8_191, 16_385, 65_535, 65_536, 65_537, 131_071, 262_145, 1_000_003];

/// Writes `total` bytes of the pattern in chunks of odd sizes.
///
/// # Panics
/// When writing fails.
pub fn write(mut to: impl Write, seed: u64, total: usize) {
    let mut pattern = Pattern::new(seed);
    let mut left = total;
    for size in ODD_SIZES.into_iter().cycle() {
        let chunk = pattern.take(size.min(left));
        to.write_all(&chunk).unwrap_or_else(|error| panic!("with {left} bytes left: {error}"));
        left -= chunk.len();
        if left == 0 {
            break;
        }
    }
    to.flush().expect("the last bytes can be written");
}

/// Reads exactly `total` bytes and compares each.
///
/// # Panics
/// When they end early or differ.
pub fn read(mut from: impl Read, seed: u64, total: usize) {
    let mut pattern = Pattern::new(seed);
    let mut got = vec![0; 256 * 1024];
    let mut position = 0;
    while position < total {
        let space = got.len().min(total - position);
        let count = from.read(&mut got[..space]).unwrap_or_else(|error| panic!("at {position}: {error}"));
        assert_ne!(count, 0, "the stream ended at {position} of {total} bytes");
        let expected = pattern.take(count);
        assert!(got[..count] == expected, "the bytes differ between {position} and {}", position + count);
        position += count;
    }
}
