//! The thread that moves the bytes.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::line::{Line, Turn};
use super::plan::{Dice, Plan};
use super::{Counts, How, Order};

/// How often time is looked at where it matters.
const TICK: Duration = Duration::from_millis(5);

pub(super) struct Proxy {
    listener: TcpListener,
    gateway: SocketAddr,
    woken: UnixStream,
    orders: Receiver<(Order, Sender<usize>)>,
    counts: Arc<Mutex<Counts>>,
    dice: Dice,
    plan: Plan,
    planned_cuts: usize,
    is_hole: bool,
    /// From when on the rate counts, and what was moved since.
    rated: (Instant, [u64; 2]),
    lines: Vec<Line>,
    /// Open, and nobody is there.
    abandoned: Vec<TcpStream>,
}

impl Proxy {
    pub(super) fn new(
        listener: TcpListener,
        gateway: SocketAddr,
        woken: UnixStream,
        orders: Receiver<(Order, Sender<usize>)>,
        counts: Arc<Mutex<Counts>>,
        seed: u64,
    ) -> Proxy {
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        woken.set_nonblocking(true).expect("a socket can be non-blocking");
        Proxy {
            listener,
            gateway,
            woken,
            orders,
            counts,
            dice: Dice::new(seed),
            plan: Plan::default(),
            planned_cuts: 0,
            is_hole: false,
            rated: (Instant::now(), [0; 2]),
            lines: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    /// Until the handle is gone.
    pub(super) fn run(mut self) {
        while self.wait() {
            while let Ok((order, done)) = self.orders.try_recv() {
                let _ = done.send(self.obey(order)); // who asked may have given up
            }
            if !self.is_hole {
                self.accept();
                self.carry();
            }
        }
    }

    /// Waits for something to do; false at the end.
    fn wait(&mut self) -> bool {
        let may_read = self.allowance().map(|bytes| bytes > 0);
        let mut polled = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if !self.is_hole {
            polled.push(PollFd::new(&self.listener, PollFlags::IN));
            for line in &self.lines {
                let ends = line.ends.iter().zip(line.wants(may_read));
                polled.extend(ends.map(|(end, wants)| PollFd::from_borrowed_fd(end.as_fd(), wants)));
            }
        }
        let is_timed = self.plan.rate.is_some() || self.plan.age.is_some();
        let tick = Timespec::try_from(TICK).ok().filter(|_| is_timed);
        let _ = poll(&mut polled, tick.as_ref()); // interrupted: a turn for nothing
        !matches!(self.woken.read(&mut [0; 16]), Ok(0))
    }

    fn obey(&mut self, order: Order) -> usize {
        match order {
            Order::Cut(how) => {
                let lines = std::mem::take(&mut self.lines);
                let count = lines.len();
                lines.into_iter().for_each(|line| self.cut(line, how));
                return count;
            }
            Order::Follow(plan) => {
                (self.plan, self.planned_cuts, self.rated) = (plan, 0, (Instant::now(), [0; 2]));
                let mut lines = std::mem::take(&mut self.lines);
                lines.iter_mut().for_each(|line| self.decide(line));
                self.lines = lines;
            }
            Order::Hole(is_hole) => self.is_hole = is_hole,
            Order::Lead(gateway) => self.gateway = gateway,
        }
        0
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            // Where nobody listens the client learns it by a reset.
            let Ok(gateway) = TcpStream::connect(self.gateway) else { continue };
            let mut line = Line::new(client, gateway);
            self.decide(&mut line);
            self.lines.push(line);
            self.count(|counts| counts.connections += 1);
        }
    }

    fn decide(&mut self, line: &mut Line) {
        let after = self.plan.after.as_ref().filter(|_| self.planned_cuts < self.plan.most);
        line.decide(after.map(|after| self.dice.fate(after)));
    }

    fn carry(&mut self) {
        for mut line in std::mem::take(&mut self.lines) {
            let mut moved = [0; 2];
            let turn = line.turn(self.allowance(), &mut moved);
            self.count(|counts| (counts.up, counts.down) = (counts.up + moved[0], counts.down + moved[1]));
            self.rated.1 = [0, 1].map(|way| self.rated.1[way] + moved[way]);
            match turn {
                Turn::Cut(how) => {
                    self.planned_cuts += 1;
                    self.cut(line, how);
                }
                Turn::Broken => drop(line.cut(How::Reset)),
                Turn::Ended => {}
                Turn::Goes if line.is_older_than(self.plan.age) => self.cut(line, How::Close),
                Turn::Goes => self.lines.push(line),
            }
        }
    }

    fn cut(&mut self, line: Line, how: How) {
        self.abandoned.extend(line.cut(how));
        self.count(|counts| counts.cuts += 1);
    }

    /// What each direction may move now.
    fn allowance(&self) -> [u64; 2] {
        let Some(rate) = self.plan.rate else { return [u64::MAX; 2] };
        let (since, moved) = self.rated;
        let all = (since.elapsed().as_secs_f64() * rate as f64) as u64;
        moved.map(|moved| all.saturating_sub(moved))
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
