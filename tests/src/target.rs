//! Request targets at random, made of the pieces that servers disagree about.

use crate::pattern::Pattern;

/// What a path traversal is made of, and what surrounds it.
#[rustfmt::skip]
const PIECES: [&[u8]; 60] = [
    b"/", b"/", b"/", b"/", b"//", b"///", b".", b".", b"..", b"..", b"/.", b"/..", b"/../", b"/./", b"../", b"./",
    b"...", b"..;", b".;", b";", b"\\", b"..\\", b"%2e", b"%2E", b"%2e%2e", b"%2E.", b".%2e", b"%2f", b"%2F",
    b"%2f%2f", b"%5c", b"%25", b"%252e", b"%252f", b"%3f", b"%23", b"%0a", b"%0d", b"%20", b"%7f", b"%00", b"%ff",
    b"%c0%ae", b"%zz", b"%4", b"%", b"?", b"#", b"+", b":", b"a", b"a", b"b0", b"B", b"path1", b"secret",
    "\u{e9}".as_bytes(), "\u{ff0e}".as_bytes(), b"\xff", b"\x80",
];

/// One in this many targets is of any bytes at all.
const WILD: u64 = 10;

/// An endless sequence; the same for the same seed.
#[derive(Debug)]
pub struct Targets {
    random: Pattern,
}

impl Targets {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Targets {
        Targets { random: Pattern::new(seed) }
    }

    fn below(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit
    }

    fn piece(&mut self) -> &'static [u8] {
        PIECES[self.below(PIECES.len() as u64) as usize]
    }

    /// Any bytes but those that end a target in a request line: space, carriage return, line feed.
    fn wild(&mut self) -> Vec<u8> {
        let length = self.below(12);
        let mut bytes = self.random.take(length as usize);
        bytes.retain(|byte| !b" \r\n".contains(byte));
        bytes
    }

    /// A form of target that is no path: RFC 9112 §3.2.2 to §3.2.4.
    fn start(&mut self) -> &'static [u8] {
        match self.below(100) {
            0 => b"http://a/",
            1 => b"http://a",
            2 => b"",
            _ => b"/",
        }
    }
}

impl Iterator for Targets {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut target = self.start().to_vec();
        if self.below(WILD) == 0 {
            target.extend(self.wild());
        } else {
            for _ in 0..self.below(12) {
                target.extend(self.piece());
            }
        }
        Some(target)
    }
}
