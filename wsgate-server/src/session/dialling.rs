//! Reaching the destination of a session, for as long as its caller waits.

use std::io::ErrorKind;

use relay::{DialError, Socket};

use super::About;
use crate::backend::Backend;
use crate::guarded::Progress;
use crate::refusal::Refusal;
use crate::run::Gate;

/// Connects to the destination. If the caller leaves meanwhile this is dropped, and says so.
pub(super) async fn dial(
    gate: &Gate,
    about: &About,
    backend: &Backend,
    progress: &Progress,
) -> Result<Socket, (Refusal, String)> {
    progress.dialling();
    let _counted = gate.metrics.dialling.hold();
    let waiting = Waiting { about, answered: false };
    let dialled = backend.dial(&about.ends, gate.config.dial_timeout).await;
    waiting.end();
    dialled.map_err(|error| (unreachable(&error, about), format!("{:#}", anyhow::anyhow!(error))))
}

/// The caller learns the destination's name and whether it was silent; addresses stay in our log.
fn unreachable(error: &DialError, about: &About) -> Refusal {
    let name = about.destination.clone();
    match error {
        DialError::TimedOut(_) => Refusal::DestinationTimeout { name },
        // The kernel's patience ended before ours.
        DialError::Refused(error) if error.kind() == ErrorKind::TimedOut => {
            Refusal::DestinationTimeout { name }
        }
        DialError::Name(_) | DialError::Refused(_) => Refusal::DestinationRefused { name },
    }
}

/// A caller that waits for its destination. If it leaves, hyper drops the dial, and this says so.
struct Waiting<'a> {
    about: &'a About,
    answered: bool,
}

impl Waiting<'_> {
    /// The dial is over, one way or the other.
    fn end(mut self) {
        self.answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.about.left();
        }
    }
}
