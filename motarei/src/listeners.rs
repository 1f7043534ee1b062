//! The listeners of all apps: opened when an app wants them, tried again when they cannot be bound, closed
//! a minute after no container has their port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::accept;
use daemon::listen::{self, ListenAddr, Listener};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::{self, Front};
use crate::fleet::Wanted;
use crate::rule::Rule;
use crate::sockets::{Sockets, fits};

/// A port that cannot be bound is tried again after so long.
const RETRY: Duration = Duration::from_secs(10);

/// A listener is closed so long after no live container has its port.
const LINGER: Duration = Duration::from_secs(60);

/// What binding may take: a name has to be looked up, and the other listeners wait meanwhile.
const BIND: Duration = Duration::from_secs(2);

/// Between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);

/// A listener, for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The app's place in the configuration.
    pub(crate) app: usize,
    /// As it was asked for.
    pub(crate) place: String,
    /// Its sockets' addresses; none if it could not be bound.
    pub(crate) bound: Vec<String>,
    pub(crate) inherited: bool,
    /// Why it could not be bound.
    pub(crate) error: Option<String>,
    /// How often it could not.
    pub(crate) failures: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Listeners {
    fronts: Vec<Arc<Front>>,
    /// By app and place.
    open: BTreeMap<(usize, String), Open>,
    failed: BTreeMap<(usize, String), Failure>,
    spare: Vec<Listener>,
    own: watch::Sender<Vec<SocketAddr>>,
    heard: watch::Sender<Vec<Heard>>,
    accepting: JoinSet<()>,
}

#[derive(Debug)]
struct Open {
    rule: Rule,
    bound: Vec<String>,
    addresses: Vec<SocketAddr>,
    inherited: bool,
    close: CancellationToken,
    unwanted: Option<Instant>,
}

#[derive(Debug)]
struct Failure {
    error: String,
    count: u64,
    again: Instant,
}

impl Listeners {
    /// Begins to accept on `sockets`.
    pub(crate) fn new(
        fronts: Vec<Arc<Front>>,
        sockets: Sockets,
        own: watch::Sender<Vec<SocketAddr>>,
        heard: watch::Sender<Vec<Heard>>,
    ) -> Self {
        let (open, failed, accepting) = (BTreeMap::new(), BTreeMap::new(), JoinSet::new());
        let mut listeners = Self { fronts, open, failed, spare: sockets.spare, own, heard, accepting };
        for bound in sockets.bound {
            listeners.serve(bound.app, bound.rule, bound.listeners, bound.inherited);
        }
        for failed in sockets.failed {
            listeners.fail(failed.app, &failed.rule, failed.error);
        }
        listeners.publish();
        listeners
    }

    /// Follows what the apps want until `stop`, and then accepts no more.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let news = Arc::new(Notify::new());
        let mut watching = JoinSet::new();
        for front in &self.fronts {
            let (news, mut wanted) = (news.clone(), front.kept.wanted.clone());
            watching.spawn(async move {
                while wanted.changed().await.is_ok() {
                    news.notify_one();
                }
            });
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.follow_all() => {}
            }
            self.publish();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = news.notified() => {}
                () = sleep(TICK) => {}
            }
        }
        for open in self.open.values() {
            open.close.cancel();
        }
        self.own.send_replace(Vec::new());
        while self.accepting.join_next().await.is_some() {}
    }

    /// Dropping the future leaves out what is not open yet.
    async fn follow_all(&mut self) {
        for app in 0..self.fronts.len() {
            self.follow(app).await;
        }
    }

    async fn follow(&mut self, app: usize) {
        let wanted = self.fronts[app].kept.wanted.borrow().clone();
        self.close_unwanted(app, &wanted.keep);
        let Wanted { open, .. } = wanted;
        self.failed.retain(|(of, place), _| *of != app || open.contains_key(place));
        for (place, rule) in open {
            let key = (app, place);
            let waits = self.failed.get(&key).is_some_and(|failure| failure.again > Instant::now());
            if !waits && !self.open.contains_key(&key) {
                self.open(app, rule).await;
            }
        }
    }

    fn close_unwanted(&mut self, app: usize, keep: &BTreeSet<String>) {
        let now = Instant::now();
        self.open.retain(|(of, place), open| {
            if *of != app || open.inherited || keep.contains(place) {
                open.unwanted = None;
                return true;
            }
            if now - *open.unwanted.get_or_insert(now) < LINGER {
                return true;
            }
            tracing::info!(listener = %place, "closed: no container has had this port for a minute");
            open.close.cancel();
            false
        });
    }

    async fn open(&mut self, app: usize, rule: Rule) {
        if let Some(other) = self.taken(app, &rule) {
            return self.fail(app, &rule, format!("{} is the app {other}'s", rule.listen));
        }
        let (spare, rest) = self.spare.drain(..).partition::<Vec<_>, _>(|spare| fits(&rule.listen, spare));
        self.spare = rest;
        if !spare.is_empty() {
            return self.serve(app, rule, spare, true);
        }
        match timeout(BIND, listen::bind(&rule.listen)).await {
            Ok(Ok(listeners)) => self.serve(app, rule, listeners, false),
            Err(_) => {
                let error = format!("{}: the name is not resolved in {} s", rule.listen, BIND.as_secs());
                self.fail(app, &rule, error);
            }
            Ok(Err(error)) => self.fail(app, &rule, format!("{:#}", anyhow::Error::from(error))),
        }
    }

    /// The app whose port it is already. Those that flags give to two apps, on two addresses, are meant so.
    fn taken(&self, app: usize, rule: &Rule) -> Option<&str> {
        if !self.fronts[app].app.rules.is_empty() {
            return None;
        }
        let same = |other: &Rule| match (&rule.listen, &other.listen) {
            (ListenAddr::Tcp { port, .. }, ListenAddr::Tcp { port: other, .. }) => {
                port == other && *port != 0
            }
            (one, other) => one == other,
        };
        let open =
            self.open.iter().filter(|((of, _), open)| *of != app && same(&open.rule)).map(|((of, _), _)| *of);
        let given =
            |(of, front): (usize, &Arc<Front>)| (of != app && front.app.rules.iter().any(same)).then_some(of);
        let given = self.fronts.iter().enumerate().filter_map(given);
        open.chain(given).next().map(|of| self.fronts[of].app.name.as_str())
    }

    fn serve(&mut self, app: usize, rule: Rule, listeners: Vec<Listener>, inherited: bool) {
        let front = self.fronts[app].clone();
        let place = front.app.place(&rule);
        let close = CancellationToken::new();
        let bound: Vec<_> = listeners.iter().map(Listener::to_string).collect();
        let addresses = listeners.iter().filter_map(|listener| listener.tcp_addr().ok().flatten()).collect();
        for (listener, address) in listeners.into_iter().zip(&bound) {
            tracing::info!(app = front.app.name, %address, port = rule.port, inherited, "listening");
            let (front, place) = (front.clone(), Arc::<str>::from(place.as_str()));
            self.accepting.spawn(accept::serve(listener, close.clone(), move |accepted| {
                connection::accept(&front, &place, accepted);
            }));
        }
        self.failed.remove(&(app, place.clone()));
        let open = Open { rule, bound, addresses, inherited, close, unwanted: None };
        self.open.insert((app, place), open);
        // Told at once, so that none of ours is dialled.
        let own = self.open.values().flat_map(|open| open.addresses.iter().copied()).collect();
        self.own.send_replace(own);
    }

    fn fail(&mut self, app: usize, rule: &Rule, error: String) {
        let again = Instant::now() + RETRY;
        let key = (app, self.fronts[app].app.place(rule));
        let before = self.failed.get(&key);
        if before.is_none_or(|before| before.error != error) {
            tracing::error!(app = self.fronts[app].app.name, %error, "not listening, trying again every 10 s");
        }
        let count = before.map_or(0, |before| before.count) + 1;
        self.failed.insert(key, Failure { error, count, again });
    }

    fn publish(&mut self) {
        let open = self.open.iter().map(|((app, place), open)| Heard {
            app: *app,
            place: place.clone(),
            bound: open.bound.clone(),
            inherited: open.inherited,
            error: None,
            failures: 0,
        });
        let failed = self.failed.iter().map(|((app, place), failure)| Heard {
            app: *app,
            place: place.clone(),
            bound: Vec::new(),
            inherited: false,
            error: Some(failure.error.clone()),
            failures: failure.count,
        });
        let heard: Vec<_> = open.chain(failed).collect();
        self.heard.send_if_modified(|old| std::mem::replace(old, heard.clone()) != heard);
    }
}

#[cfg(test)]
mod tests;
