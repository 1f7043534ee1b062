//! One port of one container: its path, and whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::route::Probed;
use crate::address::{Addresses, Path, Via};
use crate::container::Health;
use crate::probe::Outcome;

/// Between two probes of a port that is not ready.
const AGAIN: Duration = Duration::from_millis(100);

/// The same for one that was not ready for two minutes: perhaps it is exposed and never listened on.
const SELDOM: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Backend {
    /// Tells this backend from an earlier one of the same container and port.
    pub(crate) epoch: u64,
    pub(crate) addresses: Addresses,
    pub(crate) path: Path,
    /// The path was reached, so that it stays, whatever comes.
    settled: bool,
    /// Where it accepted.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) probed: Probed,
    /// A probe is under way.
    pub(crate) asked: bool,
    /// When to ask next.
    pub(crate) due: Option<Instant>,
    since: Instant,
}

impl Backend {
    pub(super) fn new(epoch: u64, addresses: Addresses, now: Instant) -> Self {
        let path = if addresses.container.is_empty() { Path::Published } else { Path::Container };
        let (address, probed) = (None, Probed::Never);
        Self {
            epoch,
            addresses,
            path,
            settled: false,
            address,
            probed,
            asked: false,
            due: Some(now),
            since: now,
        }
    }

    /// Where to ask next.
    pub(super) fn targets(&self) -> Vec<SocketAddr> {
        self.addresses.along(self.path).to_vec()
    }

    /// Takes the answers of a probe.
    pub(super) fn judge(
        &mut self,
        answers: &[(SocketAddr, Outcome)],
        via: Via,
        health: Health,
        now: Instant,
    ) {
        self.asked = false;
        // A HEALTHCHECK that succeeds says more than our own question, wherever somebody accepts.
        let is_ready = |outcome: &Outcome| {
            *outcome == Outcome::Ready || health == Health::Healthy && outcome.is_connected()
        };
        self.settled |= answers.iter().any(|(_, outcome)| outcome.is_reachable());
        if let Some((address, _)) = answers.iter().find(|(_, outcome)| is_ready(outcome)) {
            self.address = Some(*address);
            self.due = None;
            if !self.probed.accepts() {
                self.probed = Probed::Accepts(now);
            }
            return;
        }
        if answers.iter().any(|(_, outcome)| *outcome == Outcome::NotAsked) {
            // It stays what it was.
            self.due = Some(now + AGAIN);
            return;
        }
        self.fail(reason(answers), now);
        self.due = Some(now + if now - self.since < PATIENCE { AGAIN } else { SELDOM });
        let other = via == Via::Auto && self.path == Path::Container && !self.addresses.published.is_empty();
        if other && !self.settled {
            self.path = Path::Published;
            self.due = Some(now);
        }
    }

    /// It is not ready, for this reason.
    pub(super) fn fail(&mut self, reason: String, now: Instant) {
        if self.probed.accepts() {
            self.since = now;
        }
        self.probed = Probed::Failing(reason);
    }

    /// Why it is not ready, if it is not.
    pub(crate) fn reason(&self) -> Option<String> {
        match &self.probed {
            _ if self.addresses.along(self.path).is_empty() => Some(
                "there is no address at which this host could reach it: its networks are not this host's or not to \
                 be used (--connect-via), and the port is not published where this host may dial it"
                    .to_owned(),
            ),
            Probed::Never => Some("not asked yet".to_owned()),
            Probed::Failing(reason) => Some(reason.clone()),
            Probed::Accepts(_) => None,
        }
    }
}

/// The answer that says most: that of somebody, before that of nobody.
fn reason(answers: &[(SocketAddr, Outcome)]) -> String {
    let rank = |outcome: &Outcome| (outcome.is_connected(), outcome.is_reachable());
    let said = answers.iter().rev().max_by_key(|(_, outcome)| rank(outcome));
    said.map_or_else(|| "no address".to_owned(), |(address, outcome)| format!("{address} {outcome}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "172.17.0.2:8000";
    const OUTSIDE: &str = "127.0.0.1:32768";

    fn backend(now: Instant) -> Backend {
        let list = |address: &str| vec![address.parse().unwrap()];
        Backend::new(1, Addresses { container: list(INSIDE), published: list(OUTSIDE) }, now)
    }

    /// The path and whether it accepts after these answers, each to the path taken then.
    fn after(outcomes: &[Outcome], via: Via, health: Health) -> (Path, bool) {
        let now = Instant::now();
        let mut backend = backend(now);
        for outcome in outcomes {
            let answers: Vec<_> =
                backend.targets().into_iter().map(|address| (address, outcome.clone())).collect();
            backend.judge(&answers, via, health, now);
        }
        (backend.path, backend.probed.accepts())
    }

    #[test]
    fn only_silence_makes_the_published_port_the_path() {
        use Outcome::{Closed, Failed, Ready, Refused, Status, TimedOut, Unreachable};
        let (none, good) = (Health::Unknown, Health::Healthy);
        for (outcomes, via, health, path, accepts) in [
            (&[][..], Via::Auto, none, Path::Container, false),
            (&[Ready], Via::Auto, none, Path::Container, true),
            (&[Refused], Via::Auto, none, Path::Container, false),
            (&[Refused, Ready], Via::Auto, none, Path::Container, true),
            (&[Refused, TimedOut, Unreachable], Via::Auto, none, Path::Container, false),
            (&[Closed, TimedOut], Via::Auto, none, Path::Container, false),
            (&[Failed(std::io::ErrorKind::PermissionDenied)], Via::Auto, none, Path::Container, false),
            (&[TimedOut], Via::Auto, none, Path::Published, false),
            (&[Unreachable], Via::Auto, none, Path::Published, false),
            (&[Unreachable, Closed], Via::Auto, none, Path::Published, false),
            (&[Unreachable, Closed, Ready], Via::Auto, none, Path::Published, true),
            (&[TimedOut], Via::Container, none, Path::Container, false),
            (&[Closed], Via::Auto, good, Path::Container, true),
            (&[Status(404)], Via::Auto, good, Path::Container, true),
            (&[Refused], Via::Auto, good, Path::Container, false),
            (&[TimedOut], Via::Auto, good, Path::Published, false),
        ] {
            assert_eq!(after(outcomes, via, health), (path, accepts), "{outcomes:?} {via:?} {health:?}");
        }
    }

    #[test]
    fn asks_seldom_what_is_never_ready() {
        let start = Instant::now();
        let mut backend = backend(start);
        let refused = [(INSIDE.parse().unwrap(), Outcome::Refused)];
        for (second, pause) in [(0, AGAIN), (119, AGAIN), (120, SELDOM)] {
            let now = start + Duration::from_secs(second);
            backend.judge(&refused, Via::Auto, Health::Unknown, now);
            assert_eq!(backend.due, Some(now + pause), "after {second} s");
        }
        assert_eq!(backend.reason().unwrap(), "172.17.0.2:8000 refuses connections");
    }

    #[test]
    fn the_reason_is_what_says_most() {
        let answer = |address: &str, outcome| (address.parse().unwrap(), outcome);
        let (four, six) = (INSIDE, "[fd00::2]:8000");
        for (answers, expected) in [
            (
                vec![answer(four, Outcome::Refused), answer(six, Outcome::Refused)],
                "172.17.0.2:8000 refuses connections",
            ),
            (
                vec![answer(four, Outcome::TimedOut), answer(six, Outcome::Refused)],
                "[fd00::2]:8000 refuses connections",
            ),
            (
                vec![answer(four, Outcome::Refused), answer(six, Outcome::Closed)],
                "[fd00::2]:8000 accepts and closes at once",
            ),
            (vec![], "no address"),
        ] {
            assert_eq!(reason(&answers), expected);
        }
    }
}
