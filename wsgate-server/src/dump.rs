//! `--dump-tcp`: payload in the log, in hex and ascii.

use relay::Side;
use tunnel::Tap;

/// Bytes a log line shows: the hex of more would be cut.
const LINE: usize = 256;

/// Which payload is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// None.
    Off,
    /// What clients send.
    Client,
    /// Both ways.
    Both,
}

impl Dump {
    /// The meaning of the flag's number. Warns: payload may be secret.
    pub(crate) fn from_flag(number: u8) -> Self {
        let dump = match number {
            0 => return Self::Off,
            1 => Self::Client,
            _ => Self::Both,
        };
        tracing::warn!("--dump-tcp: what is carried is logged, passwords and all");
        dump
    }

    /// The tap for tunnel number `seq`.
    pub(crate) fn tap(self, seq: u64) -> Option<Box<dyn Tap>> {
        (self != Self::Off).then(|| Box::new(Dumper { both: self == Self::Both, seq }) as Box<dyn Tap>)
    }
}

struct Dumper {
    both: bool,
    seq: u64,
}

impl Tap for Dumper {
    fn seen(&mut self, from: Side, bytes: &[u8]) {
        if from == Side::Backend && !self.both {
            return;
        }
        for line in bytes.chunks(LINE) {
            let (hex, ascii) = (hex(line), ascii(line));
            tracing::info!(seq = self.seq, from = from.name(), bytes = line.len(), hex, ascii, "dump");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |b: &u8| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]];
    bytes.iter().flat_map(digits).map(char::from).collect()
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_both_forms() {
        assert_eq!(hex(b"\x00\x0fSEL\xff"), "000f53454cff");
        assert_eq!(ascii(b"\x00\x0fSEL 1\xff\x7f"), "..SEL 1..");
    }
}
