//! One connection through the proxy: two sockets, two directions.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::SockRef;

use super::How;
use super::plan::Fate;

/// The most that is moved at once.
const PIECE: usize = 128 * 1024;

/// The client's socket and the gateway's.
pub(super) struct Line {
    /// The client's, the gateway's.
    pub(super) ends: [TcpStream; 2],
    /// To the gateway, to the client.
    ways: [Way; 2],
    fate: Option<Fate>,
    pub(super) since: Instant,
}

#[derive(Default)]
struct Way {
    pending: Vec<u8>,
    moved: u64,
    eof: bool,
    shut: bool,
}

/// What came of a turn.
pub(super) enum Turn {
    Goes,
    /// Both ends have ended it.
    Ended,
    /// One of them has, abruptly.
    Broken,
    /// It has come to its fate.
    Cut(How),
}

impl Line {
    pub(super) fn new(client: TcpStream, gateway: TcpStream) -> Line {
        let ends = [client, gateway];
        for end in &ends {
            end.set_nonblocking(true).expect("a socket can be non-blocking");
            end.set_nodelay(true).expect("TCP has TCP_NODELAY");
        }
        Line { ends, ways: Default::default(), fate: None, since: Instant::now() }
    }

    /// Its fate, counted from what it has carried.
    pub(super) fn decide(&mut self, fate: Option<Fate>) {
        let taken = self.taken();
        self.fate = fate.map(|fate| Fate { at: fate.at + taken, ..fate });
    }

    /// What each end is polled for, if each direction may read.
    pub(super) fn wants(&self, may_read: [bool; 2]) -> [PollFlags; 2] {
        [0, 1].map(|end| {
            let (from, to) = (&self.ways[end], &self.ways[1 - end]);
            let mut wants = PollFlags::empty();
            wants.set(PollFlags::IN, !from.eof && from.pending.is_empty() && may_read[end]);
            wants.set(PollFlags::OUT, !to.pending.is_empty());
            wants
        })
    }

    /// Moves a piece each way, within what each direction may read; adds to the bytes moved.
    pub(super) fn turn(&mut self, may_read: [u64; 2], moved: &mut [u64; 2]) -> Turn {
        for way in [0, 1] {
            let before = self.ways[way].moved;
            let result = self.carry(way, may_read[way]);
            moved[way] += self.ways[way].moved - before;
            if result.is_err() || self.has_failed() {
                return Turn::Broken;
            }
        }
        if let Some(fate) = self.fate
            && self.taken() >= fate.at
        {
            return Turn::Cut(fate.how);
        }
        if self.ways.iter().all(|way| way.shut) { Turn::Ended } else { Turn::Goes }
    }

    /// Both ways, and what has not been passed on yet: that is lost with the connection.
    fn taken(&self) -> u64 {
        self.ways.iter().map(|way| way.moved + way.pending.len() as u64).sum()
    }

    /// Of what reading and writing may not come to know.
    fn has_failed(&self) -> bool {
        self.ends.iter().any(|end| !matches!(end.take_error(), Ok(None)))
    }

    fn carry(&mut self, number: usize, may_read: u64) -> io::Result<()> {
        let left = self.fate.map_or(u64::MAX, |fate| fate.at.saturating_sub(self.taken()));
        let way = &mut self.ways[number];
        let (mut from, mut to) = (&self.ends[number], &self.ends[1 - number]);
        if way.pending.is_empty() && !way.eof {
            let room = left.min(may_read).min(PIECE as u64);
            way.pending.resize(room as usize, 0);
            let got = if room == 0 { None } else { waiting(from.read(&mut way.pending))? };
            way.eof = got == Some(0);
            way.pending.truncate(got.unwrap_or(0));
        }
        while !way.pending.is_empty() {
            let Some(count) = waiting(to.write(&way.pending))? else { return Ok(()) };
            way.moved += count as u64;
            way.pending.drain(..count);
        }
        if way.eof && !way.shut {
            way.shut = true;
            to.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Ends it as ordered; returns the sockets that are to stay open.
    pub(super) fn cut(self, how: How) -> Vec<TcpStream> {
        let [client, gateway] = self.ends;
        match how {
            How::Reset => reset([client, gateway]),
            How::OnlyClient => {
                reset([client]);
                vec![gateway]
            }
            How::OnlyGateway => {
                reset([gateway]);
                vec![client]
            }
            // Closing a socket with something unread would send RST: they stay, half-closed.
            How::Close => {
                let ends = vec![client, gateway];
                ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Write)));
                ends
            }
        }
    }

    pub(super) fn is_older_than(&self, age: Option<Duration>) -> bool {
        age.is_some_and(|age| self.since.elapsed() >= age)
    }
}

fn reset<const N: usize>(ends: [TcpStream; N]) -> Vec<TcpStream> {
    for end in ends {
        SockRef::from(&end).set_linger(Some(Duration::ZERO)).expect("TCP has SO_LINGER");
    }
    Vec::new()
}

/// `None` if it would block.
fn waiting(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
