//! Following the engine: its event stream, and a list every 5 s, because streams fall silent without an error.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::container::{Container, Inspected, Network, is_ours};
use crate::engine::{Engine, EngineAddress};
use crate::event::{Event, What};
use crate::selector::{Label, common, is_of_any};

/// Between two lists if nothing happens.
const LIST: Duration = Duration::from_secs(5);

/// From an event to the list that shows what it did, since many come at once.
const SETTLE: Duration = Duration::from_millis(50);

/// For so long the engine may list as running what it has told to have ended or to be paused: it tells first, and
/// then writes down what it lists. Measured with Docker 20.10 are 200 ms.
const LAG: Duration = Duration::from_secs(2);

/// The first and the longest pause before the engine is asked again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What discovery tells the keepers.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// The containers of all apps.
    Listed(Arc<Vec<Container>>),
    /// Something happened to one of them, or to another.
    Happened(Event),
}

/// How discovery is, for the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engaged {
    /// The engine's version, once it was reached.
    pub(crate) version: String,
    /// The newest API that it speaks.
    pub(crate) api: String,
    /// Why it cannot be reached, if it cannot.
    pub(crate) error: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Discovery {
    pub(crate) address: EngineAddress,
    /// What the containers of each app carry.
    pub(crate) apps: Vec<Vec<Label>>,
    pub(crate) keepers: Vec<mpsc::Sender<Fact>>,
    pub(crate) engaged: watch::Sender<Engaged>,
    /// What was inspected before, by id.
    inspected: HashMap<String, Inspected>,
    /// What the engine tells nothing of, by id, and when it is asked again.
    mute: HashMap<String, Instant>,
    /// What was told last.
    listed: Arc<Vec<Container>>,
    /// What ended, was paused or went on a moment ago, by id, and when that was told.
    told: HashMap<String, (Told, Instant)>,
    /// What the last list had, by id, and its state.
    known: BTreeSet<(String, String)>,
}

/// What an event says of the state that a list shows, and knows better for [`LAG`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Ended,
    Is(ContainerSummaryStateEnum),
}

impl Told {
    fn by(what: &What) -> Option<Self> {
        match what {
            What::Ended => Some(Self::Ended),
            What::Paused => Some(Self::Is(ContainerSummaryStateEnum::PAUSED)),
            What::Unpaused | What::Started => Some(Self::Is(ContainerSummaryStateEnum::RUNNING)),
            _ => None,
        }
    }
}

/// Why a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Because {
    Connected,
    Told,
    Time,
}

impl Discovery {
    pub(crate) fn new(
        address: EngineAddress,
        apps: Vec<Vec<Label>>,
        keepers: Vec<mpsc::Sender<Fact>>,
        engaged: watch::Sender<Engaged>,
    ) -> Self {
        Self {
            address,
            apps,
            keepers,
            engaged,
            inspected: HashMap::new(),
            mute: HashMap::new(),
            listed: Arc::default(),
            told: HashMap::new(),
            known: BTreeSet::new(),
        }
    }

    /// Follows the engine for ever; while it is away, what was known stays.
    pub(crate) async fn run(mut self) {
        let mut pause = BACK_OFF.0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.session().await;
            if begun.elapsed() > BACK_OFF.1 {
                pause = BACK_OFF.0;
            }
            self.failed(format!("{error:#}"));
            sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// One log line a change, and not one an attempt.
    fn failed(&mut self, error: String) {
        let is_new = self.engaged.borrow().error.as_ref() != Some(&error);
        if is_new {
            tracing::warn!(%error, "the engine cannot be followed; what was known stays, trying again");
        }
        self.engaged.send_modify(|engaged| engaged.error = Some(error));
    }

    fn connected(&mut self, engine: &Engine) {
        let (version, api) = (engine.version.clone(), engine.api.clone());
        tracing::info!(engine = %self.address.transport, %version, %api, local = engine.local, "following the engine");
        self.engaged.send_replace(Engaged { version, api, error: None });
    }

    async fn session(&mut self) -> Result<Infallible> {
        let engine = Engine::connect(&self.address).await?;
        let mut events = engine.events();
        let (mut next, mut because) = (Instant::now(), Because::Connected);
        let mut is_new = true;
        loop {
            tokio::select! {
                biased;
                event = events.next() => {
                    // Who gives no events, a proxy before the engine perhaps, can still be asked for a list.
                    if event.is_err() && is_new {
                        self.list(&engine).await?;
                    }
                    let event = event?;
                    self.note(&event);
                    self.tell(Fact::Happened(event)).await;
                    next = next.min(Instant::now() + SETTLE);
                    because = if because == Because::Time { Because::Told } else { because };
                }
                () = sleep_until(next) => {
                    let silent = self.list(&engine).await? && because == Because::Time;
                    if std::mem::take(&mut is_new) {
                        self.connected(&engine);
                    }
                    if silent {
                        bail!("the event stream has fallen silent");
                    }
                    // The stream may have begun after the first list, which then missed something.
                    let pause = if because == Because::Connected { SETTLE * 10 } else { LIST };
                    because = if because == Because::Connected { Because::Told } else { Because::Time };
                    next = Instant::now() + pause;
                }
            }
        }
    }

    fn note(&mut self, event: &Event) {
        if let Some(told) = Told::by(&event.what) {
            self.told.insert(event.id.clone(), (told, Instant::now()));
        }
    }

    /// Puts right what the engine lists as it was before an event that it has told.
    fn correct(&mut self, listed: &mut Vec<ContainerSummary>) {
        self.told.retain(|_, (_, at)| at.elapsed() < LAG);
        let told = |one: &ContainerSummary| Some(self.told.get(one.id.as_ref()?)?.0);
        listed.retain(|one| one.id.is_some() && told(one) != Some(Told::Ended));
        for one in listed {
            if let Some(Told::Is(state)) = told(one) {
                one.state = Some(state);
            }
        }
    }

    /// Tells the keepers what the engine lists now; says whether it differs from what it listed before.
    async fn list(&mut self, engine: &Engine) -> Result<bool> {
        let mut listed = engine.list(&common(&self.apps)).await?;
        // Of others' containers nothing is asked.
        listed.retain(|one| is_of_any(&self.apps, one.labels.as_ref()));
        self.correct(&mut listed);
        let known: BTreeSet<_> = listed
            .iter()
            .map(|one| {
                (one.id.clone().unwrap_or_default(), one.state.map(|s| s.to_string()).unwrap_or_default())
            })
            .collect();
        let mut containers = Vec::with_capacity(listed.len());
        for one in listed {
            containers.extend(self.read_or_keep(engine, one).await);
        }
        self.mute.retain(|id, _| known.iter().any(|(listed, _)| listed == id));
        self.inspected.retain(|id, _| containers.iter().any(|container| container.id == *id));
        let differs = self.known != known;
        self.known = known;
        self.listed = Arc::new(containers);
        self.tell(Fact::Listed(self.listed.clone())).await;
        Ok(differs)
    }

    /// One of which the engine tells nothing must not keep the others from being known: it stays what it was.
    /// What takes long to fail is seldom asked again, for no event is heard meanwhile.
    async fn read_or_keep(&mut self, engine: &Engine, listed: ContainerSummary) -> Option<Container> {
        let (id, begun) = (listed.id.clone().unwrap_or_default(), Instant::now());
        let before = self.listed.iter().find(|container| container.id == id).cloned();
        if self.mute.get(&id).is_some_and(|again| *again > begun) {
            return before;
        }
        match self.read(engine, listed).await {
            Ok(container) => {
                self.mute.remove(&id);
                container
            }
            Err(error) => {
                let (again, container) = (Instant::now() + begun.elapsed() * 6, id.get(..12));
                if self.mute.insert(id.clone(), again).is_none() {
                    let error = format!("{error:#}");
                    tracing::warn!(container, %error, "the engine does not tell of a container; asking again");
                }
                before
            }
        }
    }

    /// Nothing if the container has gone meanwhile.
    async fn read(&mut self, engine: &Engine, listed: ContainerSummary) -> Result<Option<Container>> {
        let Some(id) = listed.id.clone() else { return Ok(None) };
        let inspected = match self.inspected.get(&id) {
            Some(inspected) => inspected.clone(),
            None => {
                let Some(answer) = engine.inspect(&id).await? else { return Ok(None) };
                let inspected =
                    Inspected::read(&answer).context("the engine tells no date of a container")?;
                self.inspected.insert(id, inspected.clone());
                inspected
            }
        };
        let ours = |gateway: IpAddr| engine.local && is_ours(gateway);
        let Some(mut container) = Container::read(listed, &inspected, &ours) else { return Ok(None) };
        if let Network::Of(other) = &container.network {
            container.network = Network::shared(engine.inspect(other).await?, &ours);
        }
        Ok(Some(container))
    }

    async fn tell(&self, fact: Fact) {
        for keeper in &self.keepers {
            // Who has ended needs no facts.
            let _ = keeper.send(fact.clone()).await;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
