//! Visitors at a steady rate: who asked when, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::eventually::eventually;
use crate::programs::patient;

/// A hundred requests a second, each on its own connection and in its own thread: a slow answer delays nobody.
#[derive(Debug)]
pub struct Load {
    seen: Arc<Mutex<Vec<Visit>>>,
    stop: Sender<()>,
    visitors: JoinHandle<()>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it began.
    pub begun: Instant,
    /// When it ended, this way or that.
    pub ended: Instant,
    /// The body of a 200, or what went wrong.
    pub answer: Result<String, String>,
}

/// What became of all of them, in the order in which they ended.
#[derive(Debug)]
pub struct Visits(pub Vec<Visit>);

const PAUSE: Duration = Duration::from_millis(10);

/// So many answers are no chance.
const FLOWING: usize = 50;

/// After so long without an answer motarei tries the next container too.
const OVERTAKE: Duration = Duration::from_secs(1);

impl Load {
    /// Begins.
    pub fn on(address: SocketAddr) -> Load {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = channel();
        let ours = Arc::clone(&seen);
        let visitors = thread::spawn(move || visit_until(&stopped, address, &ours));
        Load { seen, stop, visitors }
    }

    /// Waits until so many got this body that it can be said to serve.
    pub fn flows(&self, body: &str) {
        eventually(&format!("{body} answers"), || (self.answers(body) >= FLOWING).then_some(()));
    }

    /// How many answers there were until now with this body.
    pub fn answers(&self, body: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|visit| visit.answer.as_deref() == Ok(body)).count()
    }

    /// Sends no more, and waits for those that are under way.
    pub fn stop(self) -> Visits {
        drop(self.stop);
        self.visitors.join().expect("a visitor does not panic");
        Visits(std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Visits {
    /// What went wrong, each with its time since the first visit.
    pub fn failures(&self) -> Vec<String> {
        let first = self.0.iter().map(|visit| visit.begun).min();
        let told = |visit: &Visit| {
            let failure = visit.answer.as_ref().err()?;
            Some(format!("at {:.1?}: {failure}", visit.begun - first?))
        };
        self.0.iter().filter_map(told).collect()
    }

    /// Whether there was a moment at which all that went wrong were under way. On a busy machine it is as long as
    /// the others had to wait for an answer.
    pub fn failures_coincide(&self) -> bool {
        let failed = || self.0.iter().filter(|visit| visit.answer.is_err());
        let first_end = failed().map(|visit| visit.ended).min();
        failed().map(|visit| visit.begun).max() <= first_end.map(|end| end + self.longest_once_served())
    }

    /// Whether something went wrong, and all of it before anybody was answered with this body.
    pub fn failed_before(&self, body: &str) -> bool {
        let last = self.0.iter().filter(|visit| visit.answer.is_err()).map(|visit| visit.begun).max();
        last.zip(self.first(body)).is_some_and(|(last, first)| last < first)
    }

    /// The bodies.
    pub fn bodies(&self) -> BTreeSet<&str> {
        self.0.iter().filter_map(|visit| visit.answer.as_deref().ok()).collect()
    }

    /// The most that were under way at once, of those who came when somebody had their answer already: about as
    /// many as a container has inside at a moment, which is more on a busy machine.
    pub fn most_at_once(&self) -> usize {
        let served = self.0.iter().filter(|visit| {
            let first = visit.answer.as_deref().ok().and_then(|body| self.first(body));
            first.is_some_and(|first| visit.begun > first)
        });
        let (mut begun, mut ended): (Vec<_>, Vec<_>) = served.map(|visit| (visit.begun, visit.ended)).unzip();
        begun.sort();
        ended.sort();
        let under_way = |(before, at): (usize, &Instant)| before + 1 - ended.partition_point(|end| end < at);
        begun.iter().enumerate().map(under_way).max().unwrap_or_default()
    }

    /// Visits that were answered with `old` though they began when `new` had already been answered: by how
    /// much, and when they ended. Those that took a second or more do not count: on a busy machine the new
    /// one may be silent for that long, or the proxy.
    pub fn late(&self, old: &str, new: &str) -> Vec<String> {
        let Some(first) = self.first(new) else { return Vec::new() };
        let late = self.0.iter().filter(|visit| visit.answer.as_deref() == Ok(old) && visit.begun > first);
        let late = late.filter(|visit| visit.ended - visit.begun < OVERTAKE);
        late.map(|visit| format!("{:.1?} to {:.1?} after it", visit.begun - first, visit.ended - first))
            .collect()
    }

    /// When there was the first answer with this body.
    fn first(&self, body: &str) -> Option<Instant> {
        let with_it = self.0.iter().filter(|visit| visit.answer.as_deref() == Ok(body));
        with_it.map(|visit| visit.ended).min()
    }

    /// The longest that one had to wait though somebody had the same answer already: what a boot takes on a busy
    /// machine does not count.
    pub fn longest_once_served(&self) -> Duration {
        let first: BTreeMap<_, _> =
            self.bodies().into_iter().filter_map(|body| Some((body, self.first(body)?))).collect();
        let waited = |visit: &Visit| {
            let served = visit.answer.as_deref().ok().and_then(|body| first.get(body));
            visit.ended - served.map_or(visit.begun, |served| visit.begun.max(*served))
        };
        self.0.iter().map(waited).max().unwrap_or_default()
    }

    /// The longest that one had to wait.
    pub fn longest(&self) -> Duration {
        self.0.iter().map(|visit| visit.ended - visit.begun).max().unwrap_or_default()
    }
}

fn visit_until(stopped: &Receiver<()>, address: SocketAddr, seen: &Mutex<Vec<Visit>>) {
    thread::scope(|scope| {
        let start = Instant::now();
        // The next one is due by the clock: a late wake-up does not lower the rate.
        for number in 1.. {
            scope.spawn(|| {
                let begun = Instant::now();
                let answer = visit(address);
                let visit = Visit { begun, ended: Instant::now(), answer };
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
            });
            let due = start + PAUSE * number;
            let stop = stopped.recv_timeout(due.saturating_duration_since(Instant::now()));
            if stop != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
}

/// One request, and the body of its answer.
///
/// # Errors
/// In words, for whatever is not a 200.
pub fn visit(address: SocketAddr) -> Result<String, String> {
    let connected = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
    visit_on(&connected)
}

/// [`visit`] on an open connection, which ends with it.
///
/// # Errors
/// In words, for whatever is not a 200.
pub fn visit_on(stream: &TcpStream) -> Result<String, String> {
    patient(stream);
    let answer = ask(stream).map_err(|error| format!("no answer: {error}"))?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.") && head[8..].starts_with(" 200") => {
            Ok(body.trim_end().to_owned())
        }
        _ => Err(format!("instead of 200: {answer:?}")),
    }
}

fn ask(mut stream: &TcpStream) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.0\r\nHost: web\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
