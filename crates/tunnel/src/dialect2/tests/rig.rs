//! A client's and a server's session, their local sockets, and the WebSockets between them.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use relay::{Buffer, Size};
use tokio::time::Instant;

use crate::Role;
use crate::dialect2::blocks::BLOCK;
use crate::dialect2::budget::ALWAYS;
use crate::dialect2::{Budget, DATA_ROOM, Link, MAX_DATA, NoResume, Over, Parted, Session, Terms};

/// The ends, as indices.
pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

/// What a pipe holds at most.
const CAPACITY: usize = 40_000;

/// One direction of a connection. Closed, it still gives what is in it, then its end.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) bytes: VecDeque<u8>,
    pub(super) closed: bool,
}

/// A WebSocket: pipes and writes in progress by sender, links by end.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) pipes: [Pipe; 2],
    links: [Option<Link>; 2],
    writing: [VecDeque<u8>; 2],
    /// What the server's 101 says, until the client has it.
    answer: Option<u64>,
}

/// An end: its session and its local socket.
pub(super) struct End {
    pub(super) session: Session,
    /// What the local socket sends, and how much of it was read.
    pub(super) source: Vec<u8>,
    pub(super) read: usize,
    /// The local socket ends behind the source.
    pub(super) ends: bool,
    told_end: bool,
    /// What the local socket took, and how much more it takes now.
    pub(super) sink: Vec<u8>,
    pub(super) room: usize,
    pub(super) shut: bool,
    /// The wire that is written, and one that is only read (the client's, in a hand-over).
    pub(super) wire: Option<usize>,
    old: Option<usize>,
    /// So much of the sink was compared.
    checked: usize,
    /// The edge it may send up to, as it was.
    edge: u64,
}

/// An upgrade that the client has sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Get {
    attempt: u32,
    reported: u64,
    /// The wire on which it was accepted.
    wire: Option<usize>,
}

pub(super) struct Rig {
    pub(super) ends: [End; 2],
    pub(super) wires: Vec<Wire>,
    pub(super) gets: Vec<Get>,
    pub(super) now: Instant,
    /// Whether the last of them was answered.
    answered: bool,
    budget: Arc<Budget>,
    limit: usize,
    window: usize,
    resume: bool,
}

/// Bytes that repeat nowhere nearby.
pub(super) fn payload(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(step).collect()
}

impl Rig {
    pub(super) fn new(sources: [Vec<u8>; 2], window: u32, resume: bool, limit: usize) -> Self {
        let now = Instant::now();
        let budget = Budget::new(limit);
        let mut wire = Wire::default();
        let mut at = 0;
        let ends = sources.map(|source| {
            let role = if at == CLIENT { Role::Client } else { Role::Server };
            let (session, link) = Session::new(Terms { role, window, resume }, &budget, now);
            wire.links[at] = Some(link);
            at += 1;
            End {
                session,
                source,
                read: 0,
                ends: false,
                told_end: false,
                sink: Vec::new(),
                room: 0,
                shut: false,
                wire: Some(0),
                old: None,
                checked: 0,
                edge: 0,
            }
        });
        Self {
            ends,
            wires: vec![wire],
            gets: Vec::new(),
            answered: false,
            now,
            budget,
            limit,
            window: window as usize,
            resume,
        }
    }

    pub(super) fn link(&mut self, end: usize) -> Option<&mut Link> {
        let wire = self.ends[end].wire?;
        self.wires[wire].links[end].as_mut()
    }

    /// Writes up to `n` bytes of the write in progress, or begins one, reading up to `n` bytes for it. Tells
    /// whether anything moved.
    pub(super) fn write(&mut self, end: usize, n: usize) -> bool {
        let Some(at) = self.ends[end].wire else { return false };
        let wire = &mut self.wires[at];
        let Some(link) = &mut wire.links[end] else { return false };
        if wire.writing[end].is_empty() {
            wire.writing[end] = next_write(link, &mut self.ends[end], n, self.now);
        }
        let (writing, pipe) = (&mut wire.writing[end], &mut wire.pipes[end]);
        if pipe.closed && !writing.is_empty() {
            link.failed();
            self.settle(end);
            return true;
        }
        let n = n.min(writing.len()).min(CAPACITY - pipe.bytes.len().min(CAPACITY));
        pipe.bytes.extend(writing.drain(..n));
        self.settle(end);
        n > 0
    }

    /// Reads up to `n` bytes of each wire that the end reads.
    pub(super) fn read(&mut self, end: usize, n: usize) -> bool {
        let wires = [self.ends[end].old, self.ends[end].wire];
        let moved = wires.map(|wire| wire.is_some_and(|wire| self.read_wire(end, wire, n)));
        self.settle(end);
        moved != [false; 2]
    }

    fn read_wire(&mut self, at: usize, wire: usize, n: usize) -> bool {
        let wire = &mut self.wires[wire];
        let (pipe, end) = (&mut wire.pipes[1 - at], &mut self.ends[at]);
        let Some(link) = &mut wire.links[at] else { return false };
        if pipe.bytes.is_empty() {
            if pipe.closed {
                link.end_of_stream();
            }
            return pipe.closed;
        }
        let n = n.clamp(1, pipe.bytes.len());
        let mut chunk: Vec<u8> = pipe.bytes.drain(..n).collect();
        let mut taken = link.take(&mut end.session, &mut chunk, self.now);
        let took = {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = taken.slices(&mut slices);
            accept(&mut end.sink, &mut end.room, &slices[..count])
        };
        taken.passed(took);
        true
    }

    /// The local socket takes up to `n` more bytes.
    pub(super) fn drain(&mut self, at: usize, n: usize) -> bool {
        let end = &mut self.ends[at];
        end.room += n;
        let took = {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = end.session.held(&mut slices);
            accept(&mut end.sink, &mut end.room, &slices[..count])
        };
        end.session.wrote(took, self.now);
        let shuts = end.session.wants_shutdown();
        if shuts {
            assert!(!std::mem::replace(&mut end.shut, true), "one end of file");
            end.session.shut_down(self.now);
        }
        took > 0 || shuts
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in [CLIENT, SERVER] {
            for wire in [self.ends[end].old, self.ends[end].wire].into_iter().flatten() {
                if let Some(link) = &mut self.wires[wire].links[end] {
                    link.tick(&self.ends[end].session, self.now);
                }
            }
            self.settle(end);
        }
    }

    /// The connection breaks: of what is under way, so many bytes still arrive each way.
    pub(super) fn cut(&mut self, wire: usize, arrive: [usize; 2]) {
        for (pipe, n) in self.wires[wire].pipes.iter_mut().zip(arrive) {
            pipe.bytes.truncate(n);
            pipe.closed = true;
        }
    }

    /// The end drops its part of a wire.
    fn drop_link(&mut self, end: usize, wire: usize) {
        let wire = &mut self.wires[wire];
        wire.links[end] = None;
        wire.writing[end].clear();
        wire.pipes.iter_mut().for_each(|pipe| pipe.closed = true);
    }

    /// What follows from the state of the links.
    fn settle(&mut self, at: usize) {
        let now = self.now;
        let is_open = self.link(at).is_some_and(|link| link.is_open());
        for wire in [self.ends[at].old, self.ends[at].wire].into_iter().flatten() {
            let Some(link) = &self.wires[wire].links[at] else { continue };
            let parted = link.parted(&self.ends[at].session, now);
            let replaced = self.ends[at].old == Some(wire) && is_open;
            if parted.is_none() && !replaced {
                continue;
            }
            self.drop_link(at, wire);
            let end = &mut self.ends[at];
            if end.old == Some(wire) {
                end.old = None;
                continue;
            }
            end.wire = None;
            let kept = end.session.detach(now);
            if let Some(Parted::Cut(_)) = parted {
                assert_eq!(kept, self.resume, "a cut keeps what may be resumed");
            }
        }
        self.check(at);
    }

    /// The client sends an upgrade, with or without a WebSocket that still lives.
    pub(super) fn dial(&mut self) {
        // A hand-over that was lost again: the older wire is as dead as the newer one.
        let lost = self.ends[CLIENT].wire.is_none().then(|| self.ends[CLIENT].old.take());
        if let Some(old) = lost.flatten() {
            self.drop_link(CLIENT, old);
        }
        let client = &self.ends[CLIENT];
        if self.resume && client.session.over().is_none() && client.old.is_none() {
            let reported = self.ends[CLIENT].session.begin_upgrade();
            let attempt = self.gets.len() as u32 + 1;
            self.gets.push(Get { attempt, reported, wire: None });
            self.answered = false;
        }
    }

    /// The client waits no longer for its upgrade. The server may have it, or get it still.
    pub(super) fn give_up(&mut self) {
        self.ends[CLIENT].session.give_up_upgrade();
        if let Some(Get { wire: Some(wire), .. }) = self.gets.last().copied().filter(|_| !self.answered) {
            self.drop_link(CLIENT, wire);
        }
        self.answered = true;
    }

    /// An upgrade reaches the server, perhaps again.
    pub(super) fn accept(&mut self, index: usize) -> Result<(), NoResume> {
        let Some(get) = self.gets.get(index).copied() else { return Ok(()) };
        let link = match self.ends[SERVER].session.resume(get.reported, get.attempt, self.now) {
            Ok(link) => link,
            Err(NoResume::Gone) if index + 1 == self.gets.len() && !self.answered => {
                panic!("what the client's last upgrade asks for is there");
            }
            Err(why) => return Err(why),
        };
        if let Some(old) = self.ends[SERVER].wire.take() {
            self.drop_link(SERVER, old);
        }
        let answer = Some(self.ends[SERVER].session.received());
        self.wires.push(Wire { links: [None, Some(link)], answer, ..Wire::default() });
        let wire = Some(self.wires.len() - 1);
        self.ends[SERVER].wire = wire;
        // Of a repeated upgrade only the last answer can arrive.
        self.gets[index].wire = wire;
        Ok(())
    }

    /// The 101 of the client's last upgrade reaches it.
    pub(super) fn answer(&mut self) {
        let Some(Get { wire: Some(at), .. }) = self.gets.last().copied() else { return };
        // Even to a session that the client has reset: the server is to be told.
        let reset = matches!(self.ends[CLIENT].session.over(), Some(Over::Reset(..)));
        let over = self.answered || !reset && self.ends[CLIENT].session.over().is_some();
        let Some(received) = self.wires[at].answer.take().filter(|_| !over) else { return };
        let end = &mut self.ends[CLIENT];
        let link = end.session.resumed(received, self.now).expect("the server knows what it has");
        if let Some(old) = end.wire.take() {
            let wire = &mut self.wires[old];
            wire.links[CLIENT].as_mut().expect("it is the one in use").retire();
            wire.writing[CLIENT].clear();
            end.old = Some(old);
        }
        self.wires[at].links[CLIENT] = Some(link);
        self.answered = true;
        end.wire = Some(at);
    }

    /// Whatever has happened, this holds.
    fn check(&mut self, at: usize) {
        let [client, server] = &mut self.ends;
        let (end, peer) = if at == CLIENT { (client, server) } else { (server, client) };
        let new = end.checked..end.sink.len();
        assert_eq!(peer.source.get(new.clone()), Some(&end.sink[new.clone()]), "what is delivered was sent");
        end.checked = new.end;
        let others = peer.session.receiving.edge();
        assert_eq!(end.session.delivered(), end.sink.len() as u64);
        assert_eq!(end.session.sent(), end.read as u64);
        assert!(!matches!(end.session.over(), Some(Over::Violated(_) | Over::Closed(_))), "nobody errs");
        let edge = end.session.sending.edge();
        assert!(edge >= end.edge && edge <= others, "no edge moves back, and none is invented");
        assert!(end.session.sent() <= edge);
        end.edge = edge;
        let confirmed = end.session.sending.confirmed();
        let delivered = peer.sink.len() as u64 + u64::from(peer.shut);
        assert!(confirmed <= delivered, "what is confirmed is delivered");
        assert!(end.session.sending.memory() <= self.window + 2 * BLOCK);
        let announced = end.session.receiving.window() as usize;
        assert!(announced <= self.window && end.session.receiving.memory() <= announced + 2 * BLOCK);
        assert!(self.resume || end.session.sending.memory() == 0);
        assert!(self.budget.used() <= self.limit + 4 * (ALWAYS + 2 * BLOCK), "{}", self.budget.used());
    }

    /// Lets everything flow, cuts nothing, and brings the client back when it has no WebSocket, until nothing
    /// is left to do. Sockets listed in `blocked` take nothing.
    pub(super) fn run(&mut self, blocked: &[usize]) {
        self.give_up();
        self.close_unanswered();
        let mut idle = 0;
        for _ in 0..100_000 {
            let mut moved = false;
            for end in [CLIENT, SERVER] {
                moved |= self.write(end, MAX_DATA);
                moved |= self.read(end, MAX_DATA);
                if !blocked.contains(&end) {
                    moved |= self.drain(end, 1 << 20);
                }
            }
            self.pass(Duration::from_millis(7));
            moved |= self.reconnect();
            idle = if moved { 0 } else { idle + 1 };
            if idle > 20 {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    /// The server may have taken a repeated upgrade, on a connection that ends at a balancer.
    fn close_unanswered(&mut self) {
        if let Some(wire) = self.ends[SERVER].wire.filter(|wire| self.wires[*wire].links[CLIENT].is_none()) {
            self.drop_link(CLIENT, wire);
        }
    }

    fn reconnect(&mut self) -> bool {
        let client = &self.ends[CLIENT];
        if client.wire.is_some() || client.session.over().is_some() || !self.resume {
            return false;
        }
        self.dial();
        match self.accept(self.gets.len() - 1) {
            Ok(()) => self.answer(),
            Err(why) => self.ends[CLIENT].session.refused(why),
        }
        true
    }

    /// Both local sockets end behind what they have to send.
    pub(super) fn end_sources(&mut self) {
        self.ends.iter_mut().for_each(|end| end.ends = true);
    }

    pub(super) fn over(&self) -> [Option<Over>; 2] {
        [self.ends[CLIENT].session.over(), self.ends[SERVER].session.over()]
    }

    /// Each stream has come out whole, with its end.
    pub(super) fn is_whole(&self) -> bool {
        let whole = |at: usize| self.ends[at].shut && self.ends[at].sink == self.ends[1 - at].source;
        whole(CLIENT) && whole(SERVER)
    }
}

/// What a caller writes next: control frames, a replay, or what it reads of the local socket.
fn next_write(link: &mut Link, end: &mut End, n: usize, now: Instant) -> VecDeque<u8> {
    if let Some(control) = link.control(&mut end.session, now) {
        return control.into();
    }
    let mut buffer = vec![0; DATA_ROOM + n.max(1)];
    let replay = link.replay(&mut end.session, &mut buffer, now).map(|range| buffer[range].to_vec());
    let frame = replay.or_else(|| {
        let room = link.room(&end.session).min(n);
        let rest = &end.source[end.read..];
        if room == 0 || rest.is_empty() {
            if room > 0 && end.ends && !std::mem::replace(&mut end.told_end, true) {
                end.session.end_of_file();
            }
            return None;
        }
        let len = room.min(rest.len()).min(Size::Large.bytes() - DATA_ROOM);
        let buffer = read_into_a_buffer(&rest[..len]);
        end.read += len;
        Some(link.data(&mut end.session, buffer, len, now).to_vec())
    });
    frame.unwrap_or_default().into()
}

/// As a read of a local socket leaves it, in the smallest buffer that holds it.
pub(super) fn read_into_a_buffer(bytes: &[u8]) -> Buffer {
    let sizes = [Size::Small, Size::Medium, Size::Large];
    let size = sizes.into_iter().find(|size| DATA_ROOM + bytes.len() <= size.bytes()).unwrap_or(Size::Large);
    let mut buffer = Buffer::take(size);
    buffer[DATA_ROOM..DATA_ROOM + bytes.len()].copy_from_slice(bytes);
    buffer
}

/// The local socket takes what it has room for.
fn accept(sink: &mut Vec<u8>, room: &mut usize, slices: &[IoSlice<'_>]) -> usize {
    let before = sink.len();
    for slice in slices {
        let n = slice.len().min(*room);
        *room -= n;
        sink.extend_from_slice(&slice[..n]);
    }
    sink.len() - before
}
