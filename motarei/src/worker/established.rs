//! Who is connected to a container, from `/proc/PID/net/tcp` and `tcp6` of a process in it
//! (kernel: Documentation/networking/proc_net_tcp.rst).
//!
//! ```text
//!   sl  local_address rem_address   st …
//!    0: 00000000:1F40 00000000:0000 0A …      listens on port 8000
//!    1: 020011AC:1F40 010011AC:D2F6 01 …      ESTABLISHED; 08 is CLOSE_WAIT
//! ```
//! An address is hexadecimal in groups of four bytes, each in the machine's byte order; the port is not swapped.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::first_process::FirstProcess;

const ESTABLISHED: u8 = 0x01;
/// The peer has said all that it will, and may wait for the answer.
const CLOSE_WAIT: u8 = 0x08;
const LISTEN: u8 = 0x0a;

/// The TCP sockets of a network namespace that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// Ports that are listened on for others.
    pub(crate) listening: BTreeSet<u16>,
    /// Ports that are listened on at the loopback address only.
    pub(crate) hidden: BTreeSet<u16>,
    /// Connections from outside to one of those ports that the application has not closed.
    pub(crate) connections: usize,
}

impl Sockets {
    /// Those of the container's network, if they can be read.
    pub(crate) fn of(process: &FirstProcess) -> Option<Self> {
        Some(Self::read(&[process.read("net/tcp")?, process.read("net/tcp6").unwrap_or_default()]))
    }

    fn read(tables: &[String]) -> Self {
        let lines: Vec<_> = tables.iter().flat_map(|table| table.lines()).filter_map(line).collect();
        let listening_at = |loopback: bool| -> BTreeSet<_> {
            let at = |line: &&Line| line.state == LISTEN && line.own.is_loopback() == loopback;
            lines.iter().filter(at).map(|line| line.port).collect()
        };
        let listening = listening_at(false);
        let hidden = listening_at(true).difference(&listening).copied().collect();
        let from_outside = |line: &&Line| {
            // What an application says to itself, or a HEALTHCHECK to it, keeps nobody waiting.
            [ESTABLISHED, CLOSE_WAIT].contains(&line.state)
                && listening.contains(&line.port)
                && !line.peer.is_loopback()
        };
        let connections = lines.iter().filter(from_outside).count();
        Self { listening, hidden, connections }
    }
}

#[derive(Debug)]
struct Line {
    own: IpAddr,
    port: u16,
    peer: IpAddr,
    state: u8,
}

/// Nothing for the heading.
fn line(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace().skip(1);
    let (own, port) = words.next()?.split_once(':')?;
    let (peer, _) = words.next()?.split_once(':')?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Line { own: address(own)?.to_canonical(), port, peer: address(peer)?.to_canonical(), state })
}

fn address(hex: &str) -> Option<IpAddr> {
    let group = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(group(0)?).into()),
        32 => {
            let groups = [group(0)?, group(8)?, group(16)?, group(24)?];
            let bytes: [u8; 16] = groups.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

    /// As a kernel on x86-64 wrote them, cut after the state.
    fn sockets(lines: &[&str]) -> (Vec<u16>, usize) {
        let table = format!("{HEADING}\n{}\n", lines.join("\n"));
        let Sockets { listening, connections, .. } = Sockets::read(&[table]);
        (listening.into_iter().collect(), connections)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn counts_what_came_from_outside() {
        const LISTENS: &str = "   0: 00000000:1F40 00000000:0000 0A 00000000:00000000";
        const LISTENS_V6: &str =
            "   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A";
        let mapped = "   1: 0000000000000000FFFF0000020011AC:1F40 0000000000000000FFFF0000010011AC:D2F6 01";
        let loopback_v6 =
            "   1: 00000000000000000000000001000000:1F40 00000000000000000000000001000000:D2F6 01";
        let mapped_loopback =
            "   1: 0000000000000000FFFF00000100007F:1F40 0000000000000000FFFF00000100007F:D2F6 01";
        for (lines, expected) in [
            (&[][..], (vec![], 0)),
            (&[LISTENS], (vec![8000], 0)),
            (&[LISTENS, "   1: 020011AC:1F40 010011AC:D2F6 01 00000000:00000000"], (vec![8000], 1)),
            (&[LISTENS, "   1: 020011AC:1F40 010011AC:D2F6 06 00000000:00000000"], (vec![8000], 0)), // TIME_WAIT
            (&[LISTENS, "   1: 020011AC:1F40 010011AC:D2F6 08 00000000:00000000"], (vec![8000], 1)),
            (&[LISTENS, "   1: 020011AC:C001 050011AC:0CEA 01 00000000:00000000"], (vec![8000], 0)), // its database
            (&[LISTENS, "   1: 0100007F:1F40 0100007F:D2F6 01 00000000:00000000"], (vec![8000], 0)), // its HEALTHCHECK
            (&[LISTENS_V6, mapped, loopback_v6, mapped_loopback], (vec![8000], 1)),
            (&["   x: zz:zz zz:zz 01", "", "1:", "   1: 020011AC:1F40 01 01"], (vec![], 0)),
        ] {
            assert_eq!(sockets(lines), expected, "{lines:?}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_port_of_the_loopback_is_hidden() {
        const LOOPBACK: &str = "   0: 0100007F:1F40 00000000:0000 0A";
        for (lines, listening, hidden) in [
            (&[LOOPBACK][..], &[][..], &[8000][..]),
            (&[LOOPBACK, "   1: 020011AC:1F40 00000000:0000 0A"], &[8000], &[]),
            (&[LOOPBACK, "   1: 00000000:0050 00000000:0000 0A"], &[80], &[8000]),
        ] {
            let sockets = Sockets::read(&[lines.join("\n")]);
            let expected = Sockets {
                listening: listening.iter().copied().collect(),
                hidden: hidden.iter().copied().collect(),
                connections: 0,
            };
            assert_eq!(sockets, expected, "{lines:?}");
        }
    }
}
