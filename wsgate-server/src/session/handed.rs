//! A client that has come to another process of this host, and back to a session that is here.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tunnel::{Role, Wire};

use super::resume::Back;
use super::{About, Upgraded};
use crate::handover::{self, Answer, Ask};
use crate::held::NotFound;
use crate::proxies::Ends;
use crate::run::Gate;

/// A question is there by then.
const ASKED: Duration = Duration::from_secs(1);
/// So is the connection, after the answer.
const PASSED: Duration = Duration::from_secs(5);

/// Answers a question of another process; the session does the rest.
pub(crate) async fn answer(gate: &Gate, stream: UnixStream) {
    if !handover::is_of_our_user(&stream) {
        return;
    }
    if let Err(error) = hear(gate, stream).await {
        tracing::debug!(%error, "not asked about a session");
    }
}

async fn hear(gate: &Gate, mut stream: UnixStream) -> io::Result<()> {
    let ask = timeout(ASKED, Ask::read(&mut stream)).await??;
    let (asker, upgraded) = oneshot::channel();
    let taken_over = take_over(gate, &ask, passed(upgraded)).await;
    Answer::new(gate.instance, taken_over).write(&mut stream).await?;
    if taken_over.is_ok() {
        // If another client has taken the session over since, nobody waits for it: it is closed.
        let _ = asker.send(stream);
    }
    Ok(())
}

async fn take_over(gate: &Gate, ask: &Ask, upgraded: Upgraded) -> Result<u64, NotFound> {
    let Ask { received, attempt, .. } = *ask;
    let back = Back { hash: ask.hash(), owner: ask.owner(), received, attempt };
    let here = back.here(gate, &ask.destination)?;
    here.ask(gate, Arc::new(About::asked(gate, ask)), upgraded).await
}

/// The connection, once the process that has it passes it on.
fn passed(asker: oneshot::Receiver<UnixStream>) -> Upgraded {
    Box::pin(async move {
        let asker = asker.await.context("the other process has not heard the answer")?;
        let received = timeout(PASSED, handover::receive(&asker)).await;
        let (socket, early) = received.context("the connection was not passed in time")??;
        Ok(Wire { stream: socket.into(), early, role: Role::Server })
    })
}

impl About {
    /// Of the client that another process asks for.
    fn asked(gate: &Gate, ask: &Ask) -> Self {
        Self {
            audit: gate.config.edge.audit.clone(),
            metrics: gate.metrics.clone(),
            seq: gate.next_seq(),
            session: ask.hash().to_string(),
            dialect: 2,
            ends: Ends { peer: ask.peer(), local: None },
            forwarded_for: ask.forwarded_for.clone(),
            destination: ask.destination.clone(),
            caller: Some(ask.caller()),
            upstream: String::new(),
            begun: Instant::now(),
        }
    }
}
