//! Which container gets the next connection: a pure function of what is known.

use tokio::time::Instant;

use crate::container::{Health, Phase};

/// How far a port of a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not asked yet.
    Seen,
    /// Asked, and not ready.
    Probing,
    Ready,
    /// It was told to end.
    Terminating,
    /// It accepts, and its HEALTHCHECK fails.
    Unhealthy,
    Paused,
}

impl State {
    /// The word for logs and the status.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Probing => "probing",
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
        }
    }
}

/// What the probes, and the dials since, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    Never,
    /// The reason, to be shown.
    Failing(String),
    /// Since when.
    Accepts(Instant),
}

impl Probed {
    pub(crate) fn accepts(&self) -> bool {
        matches!(self, Self::Accepts(_))
    }
}

/// The state that follows from what is known. What is down has none: it is not there.
pub(crate) fn state(phase: Phase, health: Health, told_to_end: bool, probed: &Probed) -> State {
    match (phase, probed) {
        (Phase::Paused, _) => State::Paused,
        _ if told_to_end => State::Terminating,
        (_, Probed::Never) => State::Seen,
        (_, Probed::Failing(_)) => State::Probing,
        (_, Probed::Accepts(_)) if health == Health::Unhealthy => State::Unhealthy,
        (_, Probed::Accepts(_)) => State::Ready,
    }
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    /// In nanoseconds since 1970.
    pub(crate) created: i64,
    pub(crate) id: &'a str,
    pub(crate) state: State,
    pub(crate) accepts: bool,
}

impl Standing<'_> {
    /// Ready before unhealthy before terminating; what does not accept is no candidate.
    fn rank(&self) -> Option<u8> {
        match self.state {
            _ if !self.accepts => None,
            State::Ready => Some(0),
            State::Unhealthy => Some(1),
            State::Terminating => Some(2),
            State::Seen | State::Probing | State::Paused => None,
        }
    }
}

/// The candidates as indices, the first choice first. Of equal rank the newest comes first.
pub(crate) fn order(standings: &[Standing<'_>]) -> Vec<usize> {
    let ranked = standings.iter().enumerate().filter_map(|(index, standing)| Some((standing.rank()?, index)));
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by(|(rank_a, a), (rank_b, b)| {
        let newest = |index: &usize| (standings[*index].created, standings[*index].id);
        rank_a.cmp(rank_b).then_with(|| newest(b).cmp(&newest(a)))
    });
    ranked.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_from_what_is_known() {
        let (never, failing) = (Probed::Never, Probed::Failing("refused".into()));
        let accepts = Probed::Accepts(Instant::now());
        for (phase, health, told, probed, expected) in [
            (Phase::Running, Health::Unknown, false, &never, State::Seen),
            (Phase::Running, Health::Healthy, false, &never, State::Seen),
            (Phase::Running, Health::Unknown, false, &failing, State::Probing),
            (Phase::Running, Health::Unknown, false, &accepts, State::Ready),
            (Phase::Running, Health::Healthy, false, &accepts, State::Ready),
            (Phase::Running, Health::Unhealthy, false, &accepts, State::Unhealthy),
            (Phase::Running, Health::Unhealthy, false, &failing, State::Probing),
            (Phase::Running, Health::Healthy, true, &accepts, State::Terminating),
            (Phase::Running, Health::Unhealthy, true, &failing, State::Terminating),
            (Phase::Paused, Health::Healthy, false, &accepts, State::Paused),
            (Phase::Paused, Health::Healthy, true, &accepts, State::Paused),
        ] {
            assert_eq!(
                state(phase, health, told, probed),
                expected,
                "{phase:?} {health:?} {told} {probed:?}"
            );
        }
    }

    #[test]
    fn the_newest_ready_one_comes_first() {
        use State::{Paused, Probing, Ready, Seen, Terminating, Unhealthy};
        // State and whether it accepts, the oldest first.
        type Known<'a> = &'a [(State, bool)];
        let table: [(Known<'_>, &[usize]); 14] = [
            (&[], &[]),
            (&[(Ready, true)], &[0]),
            (&[(Ready, true), (Ready, true)], &[1, 0]),
            (&[(Ready, true), (Seen, false)], &[0]),
            (&[(Ready, true), (Probing, false)], &[0]),
            (&[(Unhealthy, true), (Probing, false)], &[0]),
            (&[(Ready, true), (Unhealthy, true)], &[0, 1]),
            (&[(Unhealthy, true), (Unhealthy, true)], &[1, 0]),
            (&[(Terminating, true), (Probing, false)], &[0]),
            (&[(Terminating, false), (Probing, false)], &[]),
            (&[(Unhealthy, true), (Terminating, true)], &[0, 1]),
            (&[(Terminating, true), (Terminating, true)], &[1, 0]),
            (&[(Ready, true), (Paused, true)], &[0]),
            (&[(Terminating, true), (Ready, true), (Unhealthy, true), (Ready, true)], &[3, 1, 2, 0]),
        ];
        for (known, expected) in table {
            let standing = |(created, (state, accepts)): (i64, &(State, bool))| Standing {
                created,
                id: "x",
                state: *state,
                accepts: *accepts,
            };
            let standings: Vec<_> = (0..).zip(known).map(standing).collect();
            assert_eq!(order(&standings), expected, "{known:?}");
        }
    }

    #[test]
    fn of_the_same_nanosecond_the_id_decides() {
        let standing = |id| Standing { created: 1, id, state: State::Ready, accepts: true };
        assert_eq!(order(&[standing("a"), standing("c"), standing("b")]), [1, 2, 0]);
    }
}
