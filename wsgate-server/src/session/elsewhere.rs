//! A client whose session is in another process of this host: led there, with its connection.

use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::upgrade::OnUpgrade;
use relay::Socket;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tunnel::Wire;

use super::resume::Back;
use super::{About, upgraded};
use crate::handover::{self, Ask, Found, Wanted};
use crate::held::NotFound;
use crate::refusal::Refusal;
use crate::run::Gate;
use crate::stream::Stream;

/// A session that waits for its WebSocket in another process.
pub(super) struct Elsewhere {
    to: UnixStream,
    received: u64,
    /// Our process does not end before the connection is passed, or if it cannot be, before its end.
    tracked: TaskTrackerToken,
    /// A place among our tunnels, if we have to carry its bytes.
    permit: Option<OwnedSemaphorePermit>,
}

impl Elsewhere {
    /// Asks the others for the session, which is not here.
    pub(super) async fn find(
        gate: &Gate,
        about: &About,
        back: Back,
        tracked: TaskTrackerToken,
    ) -> Result<Self, Refusal> {
        let unknown = || gate.not_found(NotFound::Unknown, gate.instance);
        let (Some(handover), Some(ask)) = (&gate.handover, about.ask(&back)) else { return Err(unknown()) };
        // Before it is asked for, since then its old WebSocket is gone.
        let permit = match gate.config.edge.tls {
            Some(_) => Some(gate.slots.clone().try_acquire_owned().map_err(|_| Refusal::Limit)?),
            None => None,
        };
        let Some(Found { answer, to }) = handover.ask(&ask).await else { return Err(unknown()) };
        match answer.taken_over() {
            Ok(received) => Ok(Self { to, received, tracked, permit }),
            // Who says so is the process that had it: a client takes nobody else's word.
            Err(why) => Err(gate.not_found(why, answer.instance())),
        }
    }

    /// Passes the connection as soon as the 101 is written. Returns what the session has received.
    pub(super) fn go_on(self, gate: &Gate, about: Arc<About>, on_upgrade: OnUpgrade) -> u64 {
        let Self { to, received, tracked, permit } = self;
        let (stop, counter) = (gate.stop.now.clone(), gate.metrics.handed_over.clone());
        tokio::spawn(async move {
            let passed = async { pass(upgraded(on_upgrade).await?, to).await };
            match passed.await {
                Ok(rest) => {
                    counter.inc();
                    about.handed_over();
                    if let Some((client, there)) = rest {
                        handover::bridge(client, there, &stop).await;
                    }
                }
                // The connection is closed, and its client comes back.
                Err(error) => {
                    tracing::debug!(
                        seq = about.seq,
                        session = about.session,
                        error = format!("{error:#}"),
                        "not handed over"
                    );
                }
            }
            drop((tracked, permit));
        });
        received
    }
}

/// Passes the connection, or one that leads to it; then both ends are returned that are to be bridged.
async fn pass(wire: Wire<Stream>, mut to: UnixStream) -> Result<Option<(Stream, Socket)>> {
    let (descriptor, rest) = match wire.stream {
        Stream::Plain(socket) => (handover::into_descriptor(socket)?, None),
        tls @ Stream::Tls(_) => {
            let (here, there) = UnixStream::pair()?;
            (handover::into_descriptor(there.into())?, Some((tls, here.into())))
        }
    };
    handover::pass(&mut to, descriptor, &wire.early).await.context("the other process does not take it")?;
    Ok(rest)
}

impl About {
    /// What another process is asked of this client.
    fn ask(&self, back: &Back) -> Option<Ask> {
        let Back { hash, received, attempt, ref owner } = *back;
        let wanted = Wanted { hash, received, attempt, destination: &self.destination };
        let mut ask = Ask::new(&wanted, owner, self.caller.as_ref()?, self.ends.peer);
        ask.forwarded_for.clone_from(&self.forwarded_for);
        Some(ask)
    }

    fn handed_over(&self) {
        tracing::info!(
            seq = self.seq,
            session = self.session,
            destination = self.destination,
            user = self.user(),
            peer = %self.ends.peer,
            ptime = self.begun.elapsed().as_secs_f64(),
            "tunnel handed over to the process that has it"
        );
    }
}
