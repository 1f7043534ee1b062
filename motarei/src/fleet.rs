//! The containers of one app and what is known about each: from the engine, from probes, from dials.
//!
//! ```text
//! seen ──► probing ──► ready ──► terminating ──► gone
//!             ▲           │  ╲
//!             └─ refused ─┘   unhealthy, paused
//! ```
//!
//! Nothing here waits, asks or dials: facts and the clock go in, [`Routes`], the listeners wanted and the
//! probes due come out.

mod backend;
mod member;
mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::container::{Container, Health, KILL, Phase};
use crate::event::{Event, What};
use crate::probe::{How, Outcome};
use crate::routes::{Candidate, Routes};
use crate::rule::Rule;
pub(crate) use backend::Backend;
pub(crate) use member::Member;
use route::order;
pub(crate) use route::{Probed, State};

/// A container that was told to end and still accepts after so long goes on serving.
const ENDING: Duration = Duration::from_secs(30);

/// A new container that ends so soon after it was ready is worth a warning.
const SOON: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) app: Arc<App>,
    /// By id.
    pub(crate) members: BTreeMap<String, Member>,
    /// Our own listeners, which are never dialled.
    own: Vec<SocketAddr>,
    epochs: u64,
}

/// A port to be asked, and where.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) of: Key,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) how: How,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) epoch: u64,
}

/// How a client's connection could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undialled {
    /// Nothing listens, or there is no way: the words for it.
    Refused(String),
    /// No answer, which may be one lost packet, or it could not even be tried.
    TimedOut,
}

/// The listeners that an app wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// To be opened if they are not open, by place.
    pub(crate) open: BTreeMap<String, Rule>,
    /// To be kept if they are open.
    pub(crate) keep: BTreeSet<String>,
}

impl Fleet {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, members: BTreeMap::new(), own: Vec::new(), epochs: 0 }
    }

    /// Takes a full list of running containers, among which are this app's.
    pub(crate) fn list(&mut self, containers: &[Container], now: Instant) {
        let is_ours =
            |container: &&Container| self.app.labels.iter().all(|label| label.is_carried(&container.labels));
        let alive = |container: &&Container| container.phase != Phase::Down;
        let listed: Vec<_> = containers.iter().filter(is_ours).filter(alive).cloned().collect();
        let ids: BTreeSet<_> = listed.iter().map(|container| container.id.clone()).collect();
        let missing: Vec<_> = self.members.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        for id in missing {
            self.ended(&id, now);
        }
        for container in listed {
            self.update(container, now);
        }
    }

    fn update(&mut self, container: Container, now: Instant) {
        let id = container.id.clone();
        let member = self.members.entry(id).or_insert_with(|| Member::new(container.clone()));
        if member.container.phase == Phase::Paused && container.phase == Phase::Running {
            member.forget_probes(now);
        }
        let became_healthy =
            member.container.health != container.health && container.health == Health::Healthy;
        member.container = container;
        member.follow(&self.app, &self.own, &mut self.epochs, now);
        if became_healthy {
            member.ask_now(now);
        }
    }

    fn ended(&mut self, id: &str, now: Instant) {
        let Some(member) = self.members.remove(id) else { return };
        member.open.gone.cancel();
        member.open.ended.cancel();
        if let Some(lived) = self.gave_back(&member, now) {
            let (app, container, name) = (&self.app.name, member.container.short(), &member.container.name);
            let lived = format!("{lived:.1?}");
            tracing::warn!(%app, container, %name, %lived, "ended soon after it was ready: back to an older one");
        }
    }

    /// How long a member that has been removed had been ready, if that was so short that it is no good, and an
    /// older one takes over again.
    fn gave_back(&self, member: &Member, now: Instant) -> Option<Duration> {
        let is_older = |other: &Member| other.container.created < member.container.created;
        let lived = now - member.first_ready?;
        let is_back = self.members.values().any(|other| other.is_ready() && is_older(other));
        (lived < SOON && is_back).then_some(lived)
    }

    /// Takes what happened to a container, if it is one of ours.
    pub(crate) fn event(&mut self, event: &Event, now: Instant) {
        let Some(member) = self.members.get_mut(&event.id) else { return };
        match event.what {
            What::Ended => self.ended(&event.id, now),
            What::Disconnected => member.lose_addresses(),
            What::Killed(signal) if signal == KILL || signal == member.container.stop_signal => {
                member.told_to_end(now, ENDING);
            }
            What::Paused => member.container.phase = Phase::Paused,
            What::Unpaused => {
                member.container.phase = Phase::Running;
                member.forget_probes(now);
            }
            What::Health(health) => {
                member.container.health = health;
                member.ask_now(now);
            }
            What::Killed(_) | What::Started | What::Changed => {}
        }
    }

    /// Our listeners are these now.
    pub(crate) fn own(&mut self, own: Vec<SocketAddr>, now: Instant) {
        self.own = own;
        for member in self.members.values_mut() {
            member.follow(&self.app, &self.own, &mut self.epochs, now);
        }
    }

    /// Takes the answers to an [`Order`].
    pub(crate) fn probed(&mut self, of: &Key, answers: &[(SocketAddr, Outcome)], now: Instant) {
        let via = self.app.reach.via;
        let Some(member) = self.members.get_mut(&of.id) else { return };
        let health = member.container.health;
        let Some(backend) = member.backends.get_mut(&of.port).filter(|backend| backend.epoch == of.epoch)
        else {
            return;
        };
        backend.judge(answers, via, health, now);
        if backend.probed.accepts() {
            member.first_ready.get_or_insert(now);
        }
        match member.told_to_end {
            Some(told) if backend.probed.accepts() && now - told < ENDING => {
                backend.due = Some(told + ENDING)
            }
            Some(_) if backend.probed.accepts() => {
                member.told_to_end = None;
                let (app, container, name) =
                    (&self.app.name, member.container.short(), &member.container.name);
                tracing::warn!(%app, container, %name, "still accepts 30 s after it was told to end: it counts as ready");
            }
            _ => {}
        }
    }

    /// Takes a dial that failed.
    pub(crate) fn undialled(&mut self, of: &Key, why: &Undialled, now: Instant) {
        let backend = self.members.get_mut(&of.id).and_then(|member| member.backends.get_mut(&of.port));
        let Some(backend) = backend.filter(|backend| backend.epoch == of.epoch && backend.probed.accepts())
        else {
            return;
        };
        if let Undialled::Refused(reason) = why {
            backend.fail(reason.clone(), now);
        }
        // After silence the probe decides.
        backend.due = Some(now);
    }

    /// The probes to make now. Each is answered by [`Fleet::probed`].
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Order> {
        let app = self.app.clone();
        self.members.values_mut().flat_map(|member| member.due(&app, now)).collect()
    }

    /// When the next probe is due.
    pub(crate) fn wake(&self) -> Option<Instant> {
        self.members.values().filter_map(Member::wake).min()
    }

    /// Whether everything that can be asked has answered once.
    pub(crate) fn is_asked(&self) -> bool {
        self.members.values().all(Member::is_asked)
    }

    /// The listeners' candidates.
    pub(crate) fn routes(&self) -> Routes {
        let places: BTreeSet<_> = self.members.values().flat_map(|member| member.rules.keys()).collect();
        Routes(places.into_iter().map(|place| (place.clone(), self.candidates(place))).collect())
    }

    fn candidates(&self, place: &str) -> Vec<Candidate> {
        let serving = |member| {
            let member: &Member = member;
            let port = member.rules.get(place)?.port;
            Some((member.standing(port)?, member.candidate(port, self.app.drain)))
        };
        let (standings, candidates): (Vec<_>, Vec<_>) = self.members.values().filter_map(serving).unzip();
        order(&standings).into_iter().filter_map(|index| candidates.get(index)?.clone()).collect()
    }

    /// The listeners that should be there: the fixed ones; or those of the newest container that is ready
    /// and of all older ones, while those that any container has may stay.
    pub(crate) fn wanted(&self) -> Wanted {
        if !self.app.rules.is_empty() {
            let open: BTreeMap<_, _> =
                self.app.rules.iter().map(|rule| (self.app.place(rule), rule.clone())).collect();
            return Wanted { keep: open.keys().cloned().collect(), open };
        }
        let age = |member: &Member| (member.container.created, member.id().to_owned());
        let newest = self.members.values().filter(|member| member.is_ready()).map(age).max();
        let up_to = |member: &&Member| newest.as_ref().is_some_and(|newest| age(member) <= *newest);
        let mut chosen: Vec<_> = self.members.values().filter(up_to).collect();
        chosen.sort_by_key(|member| age(member));
        let rules = chosen.into_iter().flat_map(|member| &member.rules);
        Wanted {
            open: rules.map(|(place, rule)| (place.clone(), rule.clone())).collect(),
            keep: self.members.values().flat_map(|member| member.rules.keys().cloned()).collect(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
