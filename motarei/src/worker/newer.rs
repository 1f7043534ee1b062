//! The newer containers of the label as the engine and our own probes show them, where no proxy can be asked.

mod ports;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use bollard::models::{ContainerInspectResponse, ContainerSummary};

use super::established::Sockets;
use super::sight::{Alone, Ours, Sight, Succession};
use crate::address::{Addresses, Reach, Via};
use crate::container::{Container, Health, Inspected, Network, Phase, is_ours};
use crate::engine::{Engine, EngineAddress};
use crate::first_process::FirstProcess;
use crate::probe::{How, Outcome, probe};
use crate::selector::Label;
use ports::Judged;

/// As the proxy's default.
const CONNECT: Duration = Duration::from_secs(3);

/// Asks the engine, and probes.
#[derive(Debug)]
pub(crate) struct Newer {
    labels: Vec<Label>,
    /// An engine that only its tool can reach, over ssh for example, is no reason not to run.
    address: Result<EngineAddress, String>,
    engine: Option<Engine>,
    /// The run that was found ready: it is not asked again, since databases count half-made handshakes.
    ready: Option<Run>,
}

/// One run of a container: a restart is another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    id: String,
    started: Option<String>,
}

/// A running container, as the list and an inspection show it.
struct Running {
    container: Container,
    inspected: ContainerInspectResponse,
}

impl Newer {
    pub(crate) fn new(labels: &[Label], docker_host: Option<&str>) -> Self {
        let address = EngineAddress::find(docker_host, |name| std::env::var(name).ok());
        let address = address.map_err(|error| format!("{error:#}"));
        Self { labels: labels.to_vec(), address, engine: None, ready: None }
    }

    /// The ids of the containers of the label that were created at or after `since`, the oldest first.
    ///
    /// # Errors
    /// If the engine cannot be asked.
    pub(crate) async fn created_since(&mut self, since: SystemTime) -> Result<Vec<String>> {
        let since = since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let created =
            |of: &Running| u128::try_from(of.container.created).is_ok_and(|created| created >= since);
        let mut running = self.running().await?;
        running.retain(created);
        running.sort_by_key(|of| (of.container.created, of.container.id.clone()));
        Ok(running.into_iter().map(|of| of.container.id).collect())
    }

    /// Whether one that is newer than `id` is ready; `drain` is what our connections get unless a label says
    /// otherwise.
    ///
    /// # Errors
    /// If the engine cannot be asked, or does not know `id` as a container of the label.
    pub(crate) async fn look(&mut self, id: &str, drain: Option<Duration>) -> Result<Sight> {
        let mut running = self.running().await?;
        running.sort_by(|a, b| {
            (b.container.created, &b.container.id).cmp(&(a.container.created, &a.container.id))
        });
        let Some(at) = running.iter().position(|of| of.container.id == id) else {
            let labels: Vec<_> = self.labels.iter().map(ToString::to_string).collect();
            bail!("no running container with the label {} is ours", labels.join(", "));
        };
        let is_local = self.engine.as_ref().is_some_and(|engine| engine.local);
        let (mine, reach) = (&running[at], self.reach());
        let sockets = if is_local { mine.sockets() } else { None };
        let mut why = None;
        for newer in &running[..at] {
            let run = newer.run();
            let answer = match self.ready.as_ref() == Some(&run) {
                true => may_serve(&newer.container),
                false => is_ready(&newer.container, sockets.as_ref(), reach).await,
            };
            match answer {
                Ok(()) => {
                    self.ready = Some(run);
                    return Ok(Sight::Succeeded(Succession {
                        by: newer.container.name.clone(),
                        connections: sockets.map(|sockets| sockets.connections),
                        drain: drain.or(mine.container.wishes.drain).unwrap_or(super::DRAIN),
                    }));
                }
                Err(trouble) => why = why.or(Some(format!("{}: {trouble}", newer.container.name))),
            }
        }
        let why = why.unwrap_or_else(|| super::NOTHING_NEWER.to_owned());
        Ok(Sight::Alone(Alone { why, ours: Ours::Unknown }))
    }

    async fn running(&mut self) -> Result<Vec<Running>> {
        let labels = self.labels.clone();
        let listed = self.engine().await?.list(&labels).await?;
        let mut running = Vec::new();
        for summary in listed {
            if let Some(of) = self.inspect(summary).await? {
                running.push(of);
            }
        }
        Ok(running)
    }

    async fn inspect(&mut self, summary: ContainerSummary) -> Result<Option<Running>> {
        let id = summary.id.clone().unwrap_or_default();
        let Some(inspected) = self.engine().await?.inspect(&id).await? else { return Ok(None) };
        let container = Inspected::read(&inspected).and_then(|of| Container::read(summary, &of, &is_ours));
        Ok(container.map(|container| Running { container, inspected }))
    }

    async fn engine(&mut self) -> Result<&Engine> {
        let address = self.address.as_ref().map_err(|error| anyhow!("{error}"))?;
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::connect(address).await.context("asking the engine")?,
        };
        Ok(self.engine.insert(engine))
    }

    fn reach(&self) -> Reach {
        let remote = self.address.as_ref().ok().and_then(EngineAddress::remote_host);
        let is_local = self.engine.as_ref().is_some_and(|engine| engine.local);
        let via = if is_local { Via::Auto } else { Via::Published };
        Reach {
            via,
            published_ip: remote.and_then(|host| host.parse().ok()),
            remote: self.address.as_ref().is_ok_and(EngineAddress::is_remote),
        }
    }
}

impl Running {
    fn run(&self) -> Run {
        let started = self.inspected.state.as_ref().and_then(|state| state.started_at.clone());
        Run { id: self.container.id.clone(), started }
    }

    /// Nothing if its sockets are those of the whole host, or cannot be seen.
    fn sockets(&self) -> Option<Sockets> {
        let pid = self.inspected.state.as_ref()?.pid?;
        match self.container.network {
            Network::Own(_) => Sockets::of(&FirstProcess::of(&self.container.id, pid)?),
            Network::Host | Network::Of(_) => None,
        }
    }
}

/// Whether the engine has nothing against it.
fn may_serve(container: &Container) -> Result<(), String> {
    match (container.phase, container.health) {
        (Phase::Running, Health::Unhealthy) => Err("its HEALTHCHECK fails".to_owned()),
        (Phase::Running, _) => Ok(()),
        _ => Err("it does not run".to_owned()),
    }
}

/// Whether a container can take over from ours, whose sockets are `ours`, if they are known.
async fn is_ready(container: &Container, ours: Option<&Sockets>, reach: Reach) -> Result<(), String> {
    may_serve(container)?;
    let mut judged = Judged::new(ports::of(container), ours.map(|sockets| &sockets.listening));
    let check = container.wishes.probe.clone().unwrap_or_default();
    let how = How { check, proxy_protocol: None, connect_timeout: CONNECT };
    while let Some(port) = judged.next() {
        let addresses = Addresses::of(container, port, reach, &[]);
        judged.tell(first_answer(addresses, &how).await);
    }
    judged.verdict()
}

/// The answer of the first address that gives any: one that refuses is reachable.
async fn first_answer(addresses: Addresses, how: &How) -> Result<(), String> {
    let mut trouble = "no address of it can be reached from here".to_owned();
    for address in addresses.container.into_iter().chain(addresses.published) {
        let outcome = probe(address, how).await;
        if outcome == Outcome::Ready {
            return Ok(());
        }
        trouble = format!("{address} {outcome}");
        if outcome.is_reachable() {
            break;
        }
    }
    Err(trouble)
}

#[cfg(test)]
mod tests;
