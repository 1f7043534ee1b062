//! Keeps one app's [`Fleet`] up to date: feeds it facts, probes and failed dials, and publishes what follows.

mod changes;
mod deploys;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::discovery::Fact;
use crate::fleet::{Fleet, Key, Order, Undialled, Wanted};
use crate::probe::{Outcome, probe};
use crate::routes::Routes;
use crate::status::{Clock, Seen};
use crate::tally::Tally;
use changes::Changes;
use deploys::Deploys;

/// More failed dials than this are not told at once: a few say all.
const REPORTS: usize = 256;

/// Lists and events on their way.
const FACTS: usize = 64;

/// A dial that failed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) of: Key,
    pub(crate) why: Undialled,
}

/// What an app's keeper publishes, and how it is told.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    pub(crate) wanted: watch::Receiver<Wanted>,
    pub(crate) seen: watch::Receiver<Seen>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) facts: mpsc::Sender<Fact>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    fleet: Fleet,
    facts: mpsc::Receiver<Fact>,
    reports: mpsc::Receiver<Report>,
    own: watch::Receiver<Vec<SocketAddr>>,
    routes: watch::Sender<Arc<Routes>>,
    wanted: watch::Sender<Wanted>,
    seen: watch::Sender<Seen>,
    probes: JoinSet<(Key, Vec<(SocketAddr, Outcome)>)>,
    changes: Changes,
    deploys: Deploys,
    /// One for each container that is ready.
    ready: Vec<monitor::Held>,
    tally: Tally,
    clock: Clock,
}

impl Keeper {
    /// A keeper of `app`, told in `own` which listeners are ours.
    pub(crate) fn new(app: Arc<App>, own: watch::Receiver<Vec<SocketAddr>>, tally: Tally) -> (Self, Kept) {
        let fleet = Fleet::new(app.clone());
        let clock = Clock { instant: Instant::now(), system: SystemTime::now() };
        let (facts_in, facts) = mpsc::channel(FACTS);
        let (reports_in, reports) = mpsc::channel(REPORTS);
        let (routes, routes_out) = watch::channel(Arc::new(Routes::default()));
        let (wanted, wanted_out) = watch::channel(fleet.wanted());
        let (seen, seen_out) = watch::channel(Seen::of(&fleet, clock));
        let (probes, changes) = (JoinSet::new(), Changes::new(app));
        let (deploys, ready) = (Deploys::default(), Vec::new());
        let kept = Kept {
            routes: routes_out,
            wanted: wanted_out,
            seen: seen_out,
            reports: reports_in,
            facts: facts_in,
        };
        let keeper = Self {
            fleet,
            facts,
            reports,
            own,
            routes,
            wanted,
            seen,
            probes,
            changes,
            deploys,
            ready,
            tally,
            clock,
        };
        (keeper, kept)
    }

    /// Goes on for ever.
    pub(crate) async fn run(mut self) {
        loop {
            for order in self.fleet.due(Instant::now()) {
                self.probes.spawn(ask(order));
            }
            self.publish();
            let wake = self.fleet.wake();
            tokio::select! {
                Some(fact) = self.facts.recv() => self.take(&fact),
                Some(report) = self.reports.recv() => {
                    self.fleet.undialled(&report.of, &report.why, Instant::now());
                }
                Some(Ok((of, answers))) = self.probes.join_next() => {
                    self.fleet.probed(&of, &answers, Instant::now());
                }
                Ok(()) = self.own.changed() => {
                    let own = self.own.borrow_and_update().clone();
                    self.fleet.own(own, Instant::now());
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn take(&mut self, fact: &Fact) {
        let now = Instant::now();
        match fact {
            Fact::Listed(containers) => self.fleet.list(containers, now),
            Fact::Happened(event) => self.fleet.event(event, now),
        }
    }

    fn publish(&mut self) {
        let routes = self.fleet.routes();
        self.changes.log(&self.fleet, &routes);
        if self.deploys.is_one(&self.fleet, &routes) {
            self.tally.deploys.inc();
        }
        let ready = self.fleet.members.values().filter(|member| member.is_ready()).count();
        self.ready.resize_with(ready, || self.tally.ready.hold());
        self.routes.send_if_modified(|old| replace(old, Arc::new(routes)));
        self.wanted.send_if_modified(|old| replace(old, self.fleet.wanted()));
        self.seen.send_if_modified(|old| replace(old, Seen::of(&self.fleet, self.clock)));
    }
}

fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}

/// All addresses at once: that one of them is silent must not delay the others' answers more than once.
async fn ask(order: Order) -> (Key, Vec<(SocketAddr, Outcome)>) {
    let Order { of, addresses, how } = order;
    let mut asking = JoinSet::new();
    for (index, address) in addresses.iter().copied().enumerate() {
        let how = how.clone();
        asking.spawn(async move { (index, address, probe(address, &how).await) });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(index, ..)| *index);
    (of, answers.into_iter().map(|(_, address, outcome)| (address, outcome)).collect())
}
