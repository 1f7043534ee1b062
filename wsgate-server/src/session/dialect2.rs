//! The task of a session of dialect 2: it has the destination's socket from the first upgrade to the end, and
//! one WebSocket after another.
//!
//! ```text
//!   Upgrading ──101 written──► Open ──cut──► Detached ──grace over──► Over
//!       ▲                        │               │
//!       └────── a Return ────────┴───────────────┘
//! ```

mod ways;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use relay::{Meter, Socket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tunnel::dialect2::{Carrier, Link, NoResume, Over, ResetCode, Session, WebSocket};
use tunnel::session_id::SessionHash;

use super::admission::{Agreement, Slot};
use super::{About, Entered, Open, Upgraded, settings};
use crate::held::{End, Entry, New};
use crate::run::Gate;
use crate::stream::Stream;

/// As many clients wait at once to be led back to a session; it answers without delay.
const RETURNS: usize = 4;

/// A client that comes back.
pub(crate) struct Return {
    /// Its request.
    pub(super) about: Arc<About>,
    pub(super) received: u64,
    pub(super) attempt: u32,
    pub(super) upgraded: Upgraded,
    /// Takes what the 101 reports, or why there is none.
    pub(super) answer: oneshot::Sender<Result<u64, NoResume>>,
}

/// Leads clients that come back to their session. In boxes: a channel holds the space of 32 from the beginning.
pub(crate) type Line = mpsc::Sender<Box<Return>>;

/// Where the session's WebSocket is.
enum Way {
    /// Its 101 is being written.
    Upgrading(Box<Upgrading>),
    Open(Box<WebSocket<Stream>>),
    /// It is gone, and its client may come back.
    Detached,
    /// So is the session.
    Over,
}

struct Upgrading {
    link: Link,
    /// Who comes back; `None`: who opens the session.
    back: Option<Arc<About>>,
    upgraded: Upgraded,
}

struct Running {
    gate: Arc<Gate>,
    about: Arc<About>,
    carrier: Carrier<Socket>,
    /// By it the session is found; `None` if it is not to be.
    entry: Option<Entry<Line>>,
    returns: mpsc::Receiver<Box<Return>>,
    grace: Duration,
    meter: Meter,
    /// `None` until the first WebSocket.
    entered: Option<Entered>,
    /// How its end is remembered; by default as the session says.
    end: Option<End>,
}

/// Begins a session whose first WebSocket comes from `upgraded`.
pub(super) fn begin(
    gate: &Arc<Gate>,
    about: About,
    agreement: Agreement,
    hash: SessionHash,
    (socket, slot): (Socket, Slot),
    upgraded: Upgraded,
) {
    let Agreement { owner, terms, grace } = agreement;
    let (session, link) = Session::new(terms, &gate.budget, Instant::now());
    let (line, returns) = mpsc::channel(RETURNS);
    let new = || New { hash, owner, destination: about.destination.clone(), line, grace };
    let entry = terms.resume.then(|| gate.held.enter(new()));
    let meter = gate.meter.part();
    let carrier = Carrier::new(socket, session, settings(gate, &about, meter.clone()));
    let running = Running {
        gate: gate.clone(),
        about: Arc::new(about),
        carrier,
        entry,
        returns,
        grace,
        meter,
        entered: None,
        end: None,
    };
    tokio::spawn(Box::new(running).run(slot, Box::new(Upgrading { link, back: None, upgraded })));
}

impl Running {
    async fn run(mut self: Box<Self>, slot: Slot, first: Box<Upgrading>) {
        let mut way = Way::Upgrading(first);
        loop {
            way = match way {
                Way::Upgrading(upgrading) => self.upgrading(upgrading).await,
                Way::Open(websocket) => self.carrying(websocket).await,
                Way::Detached => self.waiting().await,
                Way::Over => break,
            };
        }
        self.finish(slot);
    }

    /// The session is over, and its places are given back.
    fn finish(mut self: Box<Self>, slot: Slot) {
        let by_itself = match self.carrier.session().over() {
            Some(Over::Finished) => End::Finished,
            _ => End::Reset,
        };
        let gone = self.entry.take().map(|entry| entry.bury(self.end.unwrap_or(by_itself)).drop_guard());
        let ended = self.carrier.ended();
        match self.entered {
            Some(Entered { open, .. }) => self.about.closed(&ended, open.resumes.load(Relaxed)),
            None => self.about.left(),
        }
        drop(slot);
        drop(gone);
    }

    /// Takes the session over for a client that comes back, if that is possible.
    fn take_over(&mut self, back: Return) -> Option<Box<Upgrading>> {
        let Return { about, received, attempt, upgraded, answer } = back;
        if answer.is_closed() {
            return None; // the caller has left; what it had still works, perhaps
        }
        let session = self.carrier.session();
        let link = session.resume(received, attempt, Instant::now());
        let received = session.received();
        let (answered, link) = match link {
            Ok(link) => (Ok(received), Some(link)),
            Err(why) => (Err(why), None),
        };
        // Who has left since then is found out by the upgrade.
        let _ = answer.send(answered);
        link.map(|link| Box::new(Upgrading { link, back: Some(about), upgraded }))
    }

    /// A WebSocket is open: the first one, or the next.
    fn opened(&mut self, back: Option<&About>) {
        let entered = self.entered.get_or_insert_with(|| {
            self.about.opened();
            Open::enter(&self.gate, &self.about, self.meter.clone())
        });
        if let Some(back) = back {
            let resumes = entered.open.resumes.fetch_add(1, Relaxed) + 1;
            back.resumed(&self.about, resumes);
        }
    }

    /// Ends the session, and remembers that for who comes back.
    fn end(&mut self, code: ResetCode) -> Way {
        self.carrier.session().reset(code, "");
        self.end = Some(End::Gone);
        Way::Over
    }
}
